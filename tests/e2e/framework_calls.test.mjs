// The calls of frameworks that live on groups, word for word as their client libraries write them
// (go-redis in lower case), to Weir and to redis-server, with the same replies.
//
// Each scenario is what one service does between its start and its end: it makes its group, also
// where it is there, waits, handles, acknowledges, takes over what a dead one left, and tidies up.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { delay } from './lib/connection.mjs';
import { ReplyError, asMap } from './lib/resp.mjs';
import { redis, suiteScope, weir } from './lib/server.mjs';
import { Twin } from './lib/twin.mjs';
import { untilBlocked } from './lib/waiting.mjs';

const BUSY = 'BUSYGROUP Consumer Group name already exists';

const scope = suiteScope();
let servers;

// Both servers, and two connections to each: one reads and manages, one writes.
class Stage {
    static async open(t, protocol) {
        servers ??= Promise.all([weir(scope), redis(scope)]);
        const twin = new Twin(...await servers, 0);
        await twin.connect();
        t.after(() => twin.destroy());
        await twin.run(0, ['FLUSHALL']);
        return new Stage(twin, protocol === 2 ? 0 : 1);
    }

    constructor(twin, reader) {
        this.twin = twin;
        this.reader = reader;
        this.writer = 1 - reader;
    }

    call(...args) {
        return this.twin.run(this.reader, args);
    }

    add(...args) {
        return this.twin.run(this.writer, args);
    }

    // The reply to `args`, which has to wait for what `meanwhile` does.
    async wait(args, meanwhile) {
        const reply = this.call(...args);
        await Promise.race([this.readersWait(), reply]);
        await meanwhile();
        return reply;
    }

    async readersWait() {
        const { weir: ours, redis: theirs } = this.twin.pairs[this.writer];
        for (const connection of [ours, theirs]) await untilBlocked(connection, 1);
    }

    async busy(...args) {
        const reply = await this.call(...args);
        assert.ok(reply instanceof ReplyError);
        assert.equal(reply.message, BUSY);
    }
}

// The entries' ids in a reply to XREAD or XREADGROUP.
function idsOf(reply) {
    return [...asPairs(reply)].flatMap(([, entries]) => entries.map(([id]) => id));
}

function asPairs(reply) {
    return reply instanceof Map ? reply : reply ?? [];
}

const SCENARIOS = {
    async 'Watermill, a group'(stage) {
        const read = (block) => ['xreadgroup', 'group', 'billing', 'one', 'count', '1',
            'block', block, 'streams', 'orders', '>'];
        const publish = (uuid) => stage.add('xadd', 'orders', 'maxlen', '~', '1000', '*',
            '_watermill_message_uuid', uuid, 'metadata', '\x81\xa4kind\xa3new', 'payload', '{}');
        const pending = ['xpending', 'orders', 'billing', 'idle', '40', '0', '+', '100'];
        await stage.call('xgroup', 'create', 'orders', 'billing', '0', 'mkstream');
        await stage.busy('xgroup', 'create', 'orders', 'billing', '0', 'mkstream');
        await stage.call(...pending);
        const [id] = idsOf(await stage.wait(read('0'), () => publish('a')));
        await stage.call('xack', 'orders', 'billing', id);
        await stage.call(...read('20'));
        const left = [await publish('b'), await publish('c')];
        for (let i = 0; i < left.length; i++) await stage.call(...read('100'));
        await delay(60);
        const found = await stage.call(...pending);
        assert.deepEqual(found.map(([pendingId]) => pendingId), left);
        await stage.call('xdel', 'orders', left[1]);
        for (const lost of left) {
            await stage.call('xclaim', 'orders', 'billing', 'two', '40', lost);
            await stage.call('xclaim', 'orders', 'billing', 'one', '60000', lost);
            await stage.call('xack', 'orders', 'billing', lost);
        }
        await stage.call('xinfo', 'consumers', 'orders', 'billing');
        for (const name of ['one', 'two', 'nobody']) {
            await stage.call('xgroup', 'delconsumer', 'orders', 'billing', name);
        }
        await stage.call('xinfo', 'groups', 'orders');
    },

    async 'Watermill, everybody hears all'(stage) {
        const first = ['xread', 'block', '0', 'streams', 'news', '$'];
        const [id] = idsOf(await stage.wait(first, () => stage.add('xadd', 'news', '*', '_', 'a')));
        const next = ['xread', 'count', '1', 'block', '100', 'streams', 'news', id];
        await stage.add('xadd', 'news', '*', '_', 'b');
        await stage.add('xadd', 'news', '*', '_', 'c');
        const [after] = idsOf(await stage.call(...next));
        await stage.call(...next.with(-1, after));
    },

    async 'Redpanda Connect, two feeds and their backlogs'(stage) {
        const read = (...ids) => ['xreadgroup', 'group', 'etl', 'node', 'count', '10',
            'block', '50', 'streams', 'left', 'right', ...ids];
        await stage.call('ping');
        await stage.call('xgroup', 'create', 'left', 'etl', '0');
        for (const key of ['left', 'right']) {
            await stage.call('xgroup', 'create', key, 'etl', '0', 'mkstream');
            await stage.busy('xgroup', 'create', key, 'etl', '0', 'mkstream');
        }
        assert.deepEqual(idsOf(await stage.call(...read('0', '0'))), []);
        await stage.call(...read('>', '>'));
        for (const body of ['a', 'b']) {
            await stage.add('xadd', 'left', 'maxlen', '~', '100', '*', 'body', body, 'kind', 'x');
        }
        const left = idsOf(await stage.call(...read('>', '>')));
        const right = idsOf(await stage.wait(read('>', '>').with(7, '5000'),
            () => stage.add('xadd', 'right', 'maxlen', '~', '100', '*', 'body', 'c')));
        // It starts again, and asks for its backlogs until each is at its end.
        assert.deepEqual(idsOf(await stage.call(...read('0', '0'))), [...left, ...right]);
        assert.deepEqual(idsOf(await stage.call(...read(left[1], right[0]))), []);
        await stage.add('xadd', 'right', '*', 'body', 'd');
        const mixed = idsOf(await stage.call(...read(left[0], '>')));
        assert.deepEqual(mixed[0], left[1]);
        await stage.call('xack', 'left', 'etl', ...left);
        await stage.call('xack', 'right', 'etl', right[0], mixed[1], '1-1');
        assert.deepEqual(idsOf(await stage.call(...read('0', '0'))), []);
        await stage.call('xpending', 'left', 'etl');
        await stage.call('xinfo', 'groups', 'right');
    },

    async 'Spring Data Redis, a container and its template'(stage) {
        const read = ['XREADGROUP', 'GROUP', 'billing', 'one', 'BLOCK', '2000', 'COUNT', '10',
            'STREAMS', 'orders', '>'];
        await stage.call('XGROUP', 'CREATE', 'orders', 'billing', '0-0', 'MKSTREAM');
        await stage.busy('XGROUP', 'CREATE', 'orders', 'billing', '0-0', 'MKSTREAM');
        await stage.wait(read, () => stage.add('XADD', 'orders', '*', '_class', 'a.B', 'n', '1'));
        for (const n of '23') {
            await stage.add('XADD', 'orders', 'MAXLEN', '~', '500', '*', '_class', 'a.B', 'n', n);
        }
        await stage.call('XREADGROUP', 'GROUP', 'billing', 'two', 'BLOCK', '2000', 'COUNT', '1',
            'NOACK', 'STREAMS', 'orders', '>');
        const [third] = idsOf(await stage.call(...read));
        const [first] = idsOf(await stage.call('XREADGROUP', 'GROUP', 'billing', 'one',
            'STREAMS', 'orders', '0-0'));
        await stage.call('XPENDING', 'orders', 'billing');
        await stage.call('XPENDING', 'orders', 'billing', '-', '+', '10');
        await stage.call('XPENDING', 'orders', 'billing', '-', '+', '10', 'one');
        await stage.call('XPENDING', 'orders', 'billing', first, first, '1');
        await stage.call('XCLAIM', 'orders', 'billing', 'two', '0', first, third,
            'RETRYCOUNT', '7', 'FORCE');
        await stage.call('XCLAIM', 'orders', 'billing', 'two', '60000', first, 'JUSTID');
        await stage.call('XPENDING', 'orders', 'billing', '-', '+', '10', 'two');
        await stage.call('XACK', 'orders', 'billing', first);
        await stage.call('XINFO', 'STREAM', 'orders');
        await stage.call('XINFO', 'GROUPS', 'orders');
        await stage.call('XINFO', 'CONSUMERS', 'orders', 'billing');
        await stage.call('XREVRANGE', 'orders', '+', '-', 'COUNT', '1');
        await stage.call('XDEL', 'orders', first);
        await stage.call('XTRIM', 'orders', 'MAXLEN', '~', '1');
        await stage.call('XLEN', 'orders');
        await stage.call('XGROUP', 'DELCONSUMER', 'orders', 'billing', 'two');
        await stage.call('XGROUP', 'DESTROY', 'orders', 'billing');
        const gone = await stage.call(...read);
        assert.equal(gone.message, 'NOGROUP No such key \'orders\' or consumer group \'billing\' ' +
            'in XREADGROUP with GROUP option');
    },

    async 'FastStream, a reader and one that claims'(stage) {
        const read = ['XREADGROUP', 'GROUP', 'billing', 'one', 'COUNT', '5', 'BLOCK', '100',
            'STREAMS', 'orders', '>'];
        const claim = (start, idle = '30') => stage.call('XAUTOCLAIM', 'orders', 'billing', 'two',
            idle, start, 'COUNT', '1');
        await stage.call('PING');
        await stage.call('XGROUP', 'CREATE', 'orders', 'billing', '$', 'MKSTREAM');
        await stage.busy('XGROUP', 'CREATE', 'orders', 'billing', '$', 'MKSTREAM');
        assert.deepEqual((await claim('0-0'))[0], '0-0');
        await stage.call(...read);
        for (const data of 'abc') {
            await stage.add('XADD', 'orders', '*', '__data__', `\x89BIN\r\n\x1a\n\x00\x01${data}`);
        }
        const ids = idsOf(await stage.call(...read));
        await stage.call('XACK', 'orders', 'billing', ids[2]);
        await stage.call('XDEL', 'orders', ids[1]);
        await delay(50);
        const [next] = await claim('0-0');
        const [end] = await claim(next);
        assert.equal(end, '0-0');
        await claim(end, '60000');
        await stage.call('XACK', 'orders', 'billing', ids[0]);
        await stage.call('XPENDING', 'orders', 'billing');
        await stage.call('XREADGROUP', 'GROUP', 'billing', 'one', 'COUNT', '5', 'BLOCK', '100',
            'NOACK', 'STREAMS', 'orders', '>');
        await stage.wait(['XREAD', 'BLOCK', '5000', 'COUNT', '1', 'STREAMS', 'orders', '$'],
            () => stage.add('XADD', 'orders', 'MAXLEN', '~', '10', '*', '__data__', 'd'));
        await stage.call('XINFO', 'GROUPS', 'orders');
    },

    async 'taskiq, a queue and an urgent one'(stage) {
        const read = ['XREADGROUP', 'GROUP', 'taskiq', 'w1', 'COUNT', '100', 'BLOCK', '2000',
            'STREAMS', 'tasks', 'urgent', '>', '>'];
        for (const key of ['tasks', 'urgent']) {
            await stage.call('XGROUP', 'CREATE', key, 'taskiq', '$', 'MKSTREAM');
            await stage.busy('XGROUP', 'CREATE', key, 'taskiq', '$', 'MKSTREAM');
        }
        await stage.wait(read, () => stage.add('XADD', 'urgent', '*', 'data', '{"task_id":"a"}'));
        await stage.add('XADD', 'tasks', 'MAXLEN', '~', '1000', '*', 'data', '{"task_id":"b"}');
        await stage.add('XADD', 'urgent', '*', 'data', '{"task_id":"c"}');
        assert.equal(idsOf(await stage.call(...read)).length, 2);
        await delay(40);
        for (const key of ['tasks', 'urgent']) {
            const [, entries] = await stage.call('XAUTOCLAIM', key, 'taskiq', 'w2', '20', '0-0',
                'COUNT', '100');
            for (const [id] of entries) await stage.call('XACK', key, 'taskiq', id);
            await stage.call('XPENDING', key, 'taskiq');
        }
    },

    async 'Dapr, one consumer with many hands'(stage) {
        const read = ['xreadgroup', 'group', 'app', 'app', 'count', '100', 'block', '3000',
            'streams', 'orders', '>'];
        const pending = ['xpending', 'orders', 'app', '-', '+', '100'];
        await stage.call('ping');
        await stage.call('xgroup', 'create', 'orders', 'app', '0', 'mkstream');
        await stage.busy('xgroup', 'create', 'orders', 'app', '0', 'mkstream');
        await stage.call(...pending);
        const publish = (data) => stage.add('xadd', 'orders', 'maxlen', '~', '100', '*',
            'data', `{"specversion":"1.0","data":"${data}"}`);
        await stage.wait(read, () => publish('a'));
        for (const data of 'bcd') await publish(data);
        const ids = idsOf(await stage.call(...read));
        await stage.call('xack', 'orders', 'app', ids[0]);
        await stage.call('xdel', 'orders', ids[1]);
        await delay(30);
        const idle = (await stage.call(...pending)).map(([id]) => id);
        assert.equal(idle.length, 3);
        await stage.call('xclaim', 'orders', 'app', 'app', '10', ...idle);
        for (const id of idle) {
            await stage.call('xclaim', 'orders', 'app', 'app', '0', id);
            await stage.call('xack', 'orders', 'app', id);
        }
        await stage.call(...pending);
        await stage.call('xinfo', 'groups', 'orders');
    },

    async 'CAP, new messages and its own pending ones'(stage) {
        const read = (...positions) => ['XREADGROUP', 'GROUP', 'cap.v1', 'cap.v1', 'COUNT', '10',
            'STREAMS', 'cap.orders', 'cap.returns', ...positions];
        for (const key of ['cap.orders', 'cap.returns']) {
            await stage.call('EXISTS', key);
            await stage.call('XINFO', 'GROUPS', key);
            await stage.call('XGROUP', 'CREATE', key, 'cap.v1', '$', 'MKSTREAM');
            await stage.call('EXISTS', key);
            const groups = await stage.call('XINFO', 'GROUPS', key);
            assert.equal(asMap(groups[0]).get('name'), 'cap.v1');
        }
        await stage.call(...read('0-0', '0-0'));
        await stage.call(...read('>', '>'));
        const id = await stage.add('XADD', 'cap.orders', '*', 'headers', '{"cap-msg-id":"1"}',
            'body', '"\xc3\xa4"');
        await stage.add('XADD', 'cap.returns', '*', 'headers', '{"cap-msg-id":"2"}', 'body', '');
        await stage.call(...read('>', '>'));
        await stage.call('XACK', 'cap.orders', 'cap.v1', id);
        await stage.call(...read('0-0', '0-0'));
        await stage.call('XINFO', 'GROUPS', 'cap.returns');
    },
};

for (const [name, play] of Object.entries(SCENARIOS)) {
    describe(name, () => {
        for (const protocol of [2, 3]) {
            test(`RESP${protocol}`, async (t) => play(await Stage.open(t, protocol)));
        }
    });
}
