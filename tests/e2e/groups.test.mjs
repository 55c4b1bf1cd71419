// Consumer groups where redis-server 7.0 has no word: what came with 7.2 and later.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { ReplyError } from './lib/resp.mjs';
import { ONLY_WEIR, smallMemory, suiteScope, weir } from './lib/server.mjs';

const scope = suiteScope();
let server;
let client;
let keys = 0;

before(async () => {
    server = await weir(scope, { args: smallMemory('1mb') });
    client = await server.connect({ protocol: 3 });
    scope.after(() => client.destroy());
});

// A feed of entries 1-1, 2-1, ... and groups that have been given some of them.
async function feedOf(count, groups) {
    const key = `feed:${++keys}`;
    for (let i = 1; i <= count; i++) await client.ok('XADD', key, `${i}-1`, 'n', String(i));
    for (const [group, delivered] of Object.entries(groups)) {
        await client.ok('XGROUP', 'CREATE', key, group, '0');
        if (delivered === 0) continue;
        await client.ok('XREADGROUP', 'GROUP', group, 'c', 'COUNT', String(delivered), 'STREAMS', key,
            '>');
    }
    return key;
}

const pendingIn = async (key, group) =>
    (await client.ok('XPENDING', key, group, '-', '+', '100')).map(([id]) => id);
const idsOf = async (key) => (await client.ok('XRANGE', key, '-', '+')).map(([id]) => id);

test('XDELEX', ONLY_WEIR, async () => {
    const key = await feedOf(6, { g: 4, h: 3 });
    assert.deepEqual(await client.ok('XDELEX', key, 'ACKED', 'IDS', '3', '1-1', '5-1', '9-1'),
        [2, 2, -1]);
    assert.equal(await client.ok('XACK', key, 'g', '1-1'), 1);
    assert.deepEqual(await client.ok('XDELEX', key, 'ACKED', 'IDS', '1', '1-1'), [2]);
    assert.equal(await client.ok('XACK', key, 'h', '1-1'), 1);
    assert.deepEqual(await client.ok('XDELEX', key, 'ACKED', 'IDS', '2', '1-1', '1-1'), [1, -1]);
    assert.deepEqual(await client.ok('XDELEX', key, 'DELREF', 'IDS', '1', '2-1'), [1]);
    assert.deepEqual(await pendingIn(key, 'g'), ['3-1', '4-1']);
    assert.deepEqual(await client.ok('XDELEX', key, 'IDS', '1', '3-1'), [1]);
    assert.deepEqual(await pendingIn(key, 'g'), ['3-1', '4-1']);
    assert.deepEqual(await idsOf(key), ['4-1', '5-1', '6-1']);
    assert.deepEqual(await client.ok('XDELEX', 'none', 'IDS', '2', '1-1', '2-1'), [-1, -1]);
});

test('XACKDEL', ONLY_WEIR, async () => {
    const key = await feedOf(4, { g: 3, h: 3 });
    assert.deepEqual(await client.ok('XACKDEL', key, 'g', 'ACKED', 'IDS', '2', '1-1', '1-1'), [2, -1]);
    assert.deepEqual(await idsOf(key), ['1-1', '2-1', '3-1', '4-1']);
    assert.deepEqual(await client.ok('XACKDEL', key, 'h', 'ACKED', 'IDS', '2', '1-1', '4-1'), [1, -1]);
    assert.deepEqual(await client.ok('XACKDEL', key, 'g', 'IDS', '1', '2-1'), [1]);
    assert.deepEqual(await pendingIn(key, 'h'), ['2-1', '3-1']);
    assert.deepEqual(await client.ok('XACKDEL', key, 'g', 'DELREF', 'IDS', '1', '3-1'), [1]);
    assert.deepEqual(await pendingIn(key, 'h'), ['2-1']);
    assert.deepEqual(await idsOf(key), ['4-1']);
    assert.deepEqual(await client.ok('XACKDEL', key, 'none', 'IDS', '1', '4-1'), [-1]);
});

test('XDELEX and XACKDEL: what is refused', ONLY_WEIR, async () => {
    for (const [args, message] of [
        [['XDELEX', 'x', 'IDS', '2', '1-1'],
            'ERR The `numids` parameter must match the number of arguments'],
        [['XDELEX', 'x', 'IDS', '0', '1-1'], 'ERR Number of IDs must be a positive integer'],
        [['XDELEX', 'x', 'SOME', 'IDS', '1', '1-1'], 'ERR syntax error'],
        [['XACKDEL', 'x', 'g', 'KEEPREF', 'IDS', 'x', '1-1'],
            'ERR Number of IDs must be a positive integer'],
    ]) {
        const error = await client.call(...args);
        assert.ok(error instanceof ReplyError);
        assert.equal(error.message, message);
    }
});

test('trimming with KEEPREF, DELREF and ACKED', ONLY_WEIR, async () => {
    const kept = await feedOf(5, { g: 3 });
    assert.equal(await client.ok('XTRIM', kept, 'MAXLEN', '1', 'KEEPREF'), 4);
    assert.deepEqual(await pendingIn(kept, 'g'), ['1-1', '2-1', '3-1']);

    const dropped = await feedOf(5, { g: 3, h: 1 });
    assert.equal(await client.ok('XTRIM', dropped, 'MINID', '3-1', 'DELREF'), 2);
    assert.deepEqual(await pendingIn(dropped, 'g'), ['3-1']);
    assert.deepEqual(await pendingIn(dropped, 'h'), []);

    const acked = await feedOf(5, { g: 3, h: 4 });
    assert.equal(await client.ok('XTRIM', acked, 'MAXLEN', '1', 'ACKED'), 0);
    await client.ok('XACK', acked, 'g', '1-1', '2-1', '3-1');
    await client.ok('XACK', acked, 'h', '1-1', '2-1', '4-1');
    assert.equal(await client.ok('XTRIM', acked, 'MAXLEN', '1', 'ACKED'), 2);
    await client.ok('XACK', acked, 'h', '3-1');
    assert.equal(await client.ok('XTRIM', acked, 'MAXLEN', '=', '0', 'ACKED'), 1);
    assert.equal(await client.ok('XADD', acked, 'ACKED', 'MAXLEN', '0', '6-1', 'n', '6'), '6-1');
    assert.deepEqual(await idsOf(acked), ['4-1', '5-1', '6-1']);
    assert.equal(await client.ok('XADD', acked, 'DELREF', 'MAXLEN', '1', '7-1', 'n', '7'), '7-1');
    assert.deepEqual(await idsOf(acked), ['7-1']);
});

test('ACKED keeps the very next entry that a group has not been given', ONLY_WEIR, async () => {
    const key = `feed:${++keys}`;
    for (let i = 1; i <= 4; i++) await client.ok('XADD', key, `1-${i}`, 'f', 'v');
    await client.ok('XGROUP', 'CREATE', key, 'g', '1-2');
    assert.equal(await client.ok('XTRIM', key, 'MAXLEN', '0', 'ACKED'), 2);
    assert.deepEqual(await idsOf(key), ['1-3', '1-4']);
    await client.ok('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', key, '>');
    assert.equal(await client.ok('XACK', key, 'g', '1-3'), 1);
    assert.equal(await client.ok('XTRIM', key, 'MAXLEN', '0', 'ACKED'), 1);
    assert.deepEqual(await idsOf(key), ['1-4']);
});

test('references are found on disk, too', ONLY_WEIR, async () => {
    const key = await feedOf(300, { g: 250 });
    await client.ok('SAVE');
    await server.restart('SIGKILL');
    client = await server.connect({ protocol: 3 });
    assert.equal(await client.ok('XTRIM', key, 'MAXLEN', '0', 'ACKED'), 0);
    assert.deepEqual(await client.ok('XDELEX', key, 'ACKED', 'IDS', '2', '7-1', '251-1'), [2, 2]);
    assert.equal(await client.ok('XTRIM', key, 'MINID', '200-1', 'DELREF'), 199);
    const [count, first, last] = await client.ok('XPENDING', key, 'g');
    assert.deepEqual([count, first, last], [51, '200-1', '250-1']);
});

test('lag and entries-read are null where nobody can tell', ONLY_WEIR, async () => {
    const key = await feedOf(5, { g: 2 });
    const tell = async () => {
        const [group] = await client.ok('XINFO', 'GROUPS', key);
        return [group.get('entries-read'), group.get('lag')];
    };
    assert.deepEqual(await tell(), [2, 3]);
    await client.ok('XDEL', key, '4-1');
    assert.deepEqual(await tell(), [2, null]);
    await client.ok('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', key, '>');
    assert.deepEqual(await tell(), [5, 0]);
    await client.ok('XGROUP', 'SETID', key, 'g', '3-1');
    assert.deepEqual(await tell(), [null, null]);
});

test('XGROUP SETID takes the ends of a range, CREATE does not, neither an option twice', async () => {
    const key = await feedOf(2, { g: 0 });
    const place = async () => (await client.ok('XINFO', 'GROUPS', key))[0].get('last-delivered-id');
    const invalid = 'ERR Invalid stream ID specified as stream command argument';
    for (const end of ['-', '+']) {
        assert.equal((await client.call('XGROUP', 'CREATE', key, 'h', end)).message, invalid);
        assert.equal(await client.ok('XGROUP', 'SETID', key, 'g', end), 'OK');
        assert.equal(await place(), end === '-' ? '0-0' : `${2n ** 64n - 1n}-${2n ** 64n - 1n}`);
    }
    const twice = ['ENTRIESREAD', '1', 'ENTRIESREAD', '1'];
    for (const word of ['CREATE', 'SETID']) {
        assert.match((await client.call('XGROUP', word, key, 'g', '0', ...twice)).message,
            /^ERR unknown subcommand or wrong number of arguments/);
    }
});

test('a group in a transaction', async () => {
    const key = await feedOf(3, { g: 0 });
    const other = await server.connect({ protocol: 3 });
    await other.ok('MULTI');
    for (const args of [['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', key, '>'],
        ['XACK', key, 'g', '1-1'], ['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', key, '>'],
        ['XPENDING', key, 'g']]) {
        assert.equal(await other.ok(...args), 'QUEUED');
    }
    const [read, acknowledged, again, [pending]] = await other.ok('EXEC');
    assert.equal(read.get(key).length, 3);
    assert.deepEqual([acknowledged, again, pending], [1, null, 2]);
    other.destroy();
});

test('XREADGROUP CLAIM takes what others left, then new entries', ONLY_WEIR, async () => {
    const key = await feedOf(5, { g: 3 });
    const read = (...args) => client.ok('XREADGROUP', 'GROUP', 'g', 'd', ...args, 'STREAMS', key, '>');
    assert.equal((await read('COUNT', '1', 'CLAIM', '60000')).get(key)[0][0], '4-1');
    await client.ok('XCLAIM', key, 'g', 'c', '0', '2-1', 'IDLE', '90000', 'JUSTID');
    const entries = (await read('CLAIM', '60000')).get(key);
    assert.deepEqual(entries.map(([id, fields, , deliveries]) => [id, fields, deliveries]),
        [['2-1', ['n', '2'], 1], ['5-1', ['n', '5'], 0]]);
    assert.ok(entries[0][2] >= 90000);
    assert.equal(entries[1][2], 0);
    const pending = await client.ok('XPENDING', key, 'g', '-', '+', '10', 'd');
    assert.deepEqual(pending.map(([id, , , deliveries]) => [id, deliveries]),
        [['2-1', 2], ['4-1', 1], ['5-1', 1]]);
    assert.equal(await read('CLAIM', '60000'), null);
    const claimed = (await read('COUNT', '2', 'CLAIM', '0')).get(key).map(([id]) => id);
    assert.deepEqual(claimed, ['1-1', '2-1']);
    assert.ok(await client.call('XREADGROUP', 'GROUP', 'g', 'd', 'CLAIM', '-1', 'STREAMS', key, '>')
        instanceof ReplyError);
});

test('a reader that blocks with CLAIM is woken when an entry may be claimed', ONLY_WEIR, async () => {
    const key = await feedOf(1, { g: 1 });
    const reply = await client.ok('XREADGROUP', 'GROUP', 'g', 'd', 'BLOCK', '0', 'CLAIM', '80',
        'STREAMS', key, '>');
    const [[id, , idle, deliveries]] = reply.get(key);
    assert.deepEqual([id, deliveries], ['1-1', 1]);
    assert.ok(idle >= 80);
    const nothing = await client.ok('XREADGROUP', 'GROUP', 'g', 'd', 'BLOCK', '50', 'CLAIM', '600000',
        'STREAMS', key, '>');
    assert.equal(nothing, null);
});

test('keyspace events tell what happens to groups', async (t) => {
    const subscriber = await server.connect({ protocol: 2 });
    t.after(() => subscriber.destroy());
    const before = await client.ok('CONFIG', 'GET', 'notify-keyspace-events');
    await client.ok('CONFIG', 'SET', 'notify-keyspace-events', 'Kt');
    const key = `feed:${++keys}`;
    await subscriber.ok('SUBSCRIBE', `__keyspace@0__:${key}`);
    await client.ok('XGROUP', 'CREATE', key, 'g', '0', 'MKSTREAM');
    await client.ok('XGROUP', 'CREATECONSUMER', key, 'g', 'c');
    await client.ok('XADD', key, '1-1', 'n', '1');
    await client.ok('XREADGROUP', 'GROUP', 'g', 'd', 'STREAMS', key, '>');
    await client.ok('XGROUP', 'SETID', key, 'g', '0');
    await client.ok('XGROUP', 'DELCONSUMER', key, 'g', 'd');
    await client.ok('XGROUP', 'DESTROY', key, 'g');
    for (const event of ['xgroup-create', 'xgroup-createconsumer', 'xadd', 'xgroup-createconsumer',
        'xgroup-setid', 'xgroup-delconsumer', 'xgroup-destroy']) {
        assert.equal((await subscriber.next()).value[2], event);
    }
    await client.ok('CONFIG', 'SET', 'notify-keyspace-events',
        before.get('notify-keyspace-events'));
});
