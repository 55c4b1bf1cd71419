// XREAD BLOCK: who waits, who wakes, in which order, and who does not.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import { delay } from './lib/connection.mjs';
import { ReplyError } from './lib/resp.mjs';
import { ONLY_WEIR, QUICK, suiteScope, weir } from './lib/server.mjs';
import { blockedClients, untilBlocked } from './lib/waiting.mjs';

const scope = suiteScope();
let server;
let writer;

before(async () => {
    server = await weir(scope);
    writer = await server.connect();
    scope.after(() => writer.destroy());
});

function open(t, protocol = 3) {
    const opened = server.connect({ protocol });
    t.after(async () => (await opened).destroy());
    return opened;
}

function pairsOf(value) {
    return value instanceof Map ? [...value] : value;
}

describe('XREAD BLOCK', () => {
    test('wakes at the next entry, in RESP2 and RESP3', async (t) => {
        for (const protocol of [2, 3]) {
            const reader = await open(t, protocol);
            const key = `wake${protocol}`;
            const reply = reader.exchange(['XREAD', 'BLOCK', '0', 'STREAMS', key, '$']);
            await untilBlocked(writer, 1);
            await writer.ok('XADD', key, '5-5', 'f', 'v');
            const entry = `*1\r\n*2\r\n$3\r\n5-5\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n`;
            const start = protocol === 2 ? '*1\r\n*2\r\n' : '%1\r\n';
            assert.equal((await reply).raw.toString(), `${start}$5\r\n${key}\r\n${entry}`);
        }
        assert.equal(await blockedClients(writer), 0);
    });

    test('answers null after its time, not before', async (t) => {
        for (const [protocol, nothing] of [[2, '*-1\r\n'], [3, '_\r\n']]) {
            const reader = await open(t, protocol);
            const since = Date.now();
            const { raw } = await reader.exchange(
                ['XREAD', 'COUNT', '3', 'BLOCK', '60', 'STREAMS', 'never', 'never2', '0', '$']);
            assert.equal(raw.toString(), nothing);
            const waited = Date.now() - since;
            assert.ok(waited >= 59, `${waited} ms`);
        }
    });

    test('does not wait when there is something', async (t) => {
        const reader = await open(t);
        await writer.ok('XADD', 'there', '1-1', 'f', 'v');
        const value = await reader.ok(
            'XREAD', 'BLOCK', '0', 'STREAMS', 'nothing', 'there', '0', '0');
        assert.deepEqual(pairsOf(value), [['there', [['1-1', ['f', 'v']]]]]);
    });

    test('all who wait for a feed get the entry', async (t) => {
        const readers = await Promise.all(Array.from({ length: 20 }, () => open(t)));
        const replies = readers.map((reader) =>
            reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'crowd', '$'));
        await untilBlocked(writer, 20);
        await writer.ok('XADD', 'crowd', '1-1', 'f', 'v');
        for (const reply of replies) {
            assert.deepEqual(pairsOf(await reply), [['crowd', [['1-1', ['f', 'v']]]]]);
        }
    });

    test('who waits for several feeds gets the one that moves', async (t) => {
        const reader = await open(t);
        const reply = reader.call(
            'XREAD', 'BLOCK', '0', 'STREAMS', 's1', 's2', 's3', '$', '$', '$');
        await untilBlocked(writer, 1);
        await writer.ok('XADD', 's2', '1-1', 'f', 'v');
        assert.deepEqual(pairsOf(await reply), [['s2', [['1-1', ['f', 'v']]]]]);
        await writer.ok('XADD', 's1', '1-1', 'f', 'v');
        assert.equal(await reader.call('PING'), 'PONG');
    });

    test('a key named twice, and $ beside an id', async (t) => {
        const reader = await open(t);
        await writer.ok('XADD', 'twice', '1-1', 'f', 'v');
        const reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'twice', 'twice', '$', '5-0');
        await untilBlocked(writer, 1);
        await writer.ok('XADD', 'twice', '2-0', 'f', 'v');
        assert.deepEqual(pairsOf(await reply), [['twice', [['2-0', ['f', 'v']]]]]);
    });

    test('an entry that is not behind the id asked for wakes nobody', async (t) => {
        const reader = await open(t);
        const reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'ahead', '10-0');
        await untilBlocked(writer, 1);
        await writer.ok('XADD', 'ahead', '9-0', 'f', 'v');
        await writer.ok('XADD', 'ahead', '10-0', 'f', 'v');
        assert.equal(await blockedClients(writer), 1);
        await writer.ok('XADD', 'ahead', '10-1', 'f', 'w');
        assert.deepEqual(pairsOf(await reply), [['ahead', [['10-1', ['f', 'w']]]]]);
    });

    test('entries of one pipeline come together, COUNT limits them', async (t) => {
        const [all, one] = [await open(t), await open(t)];
        const replies = [all.call('XREAD', 'BLOCK', '0', 'STREAMS', 'batch', '$'),
            one.call('XREAD', 'COUNT', '1', 'BLOCK', '0', 'STREAMS', 'batch', '$')];
        await untilBlocked(writer, 2);
        await writer.pipeline(['1-1', '1-2'].map((id) => ['XADD', 'batch', id, 'f', 'v']));
        const [first] = pairsOf(await replies[0]);
        assert.equal(first[1][0][0], '1-1');
        assert.deepEqual(pairsOf(await replies[1])[0][1].map(([id]) => id), ['1-1']);
    });

    test('commands behind it in the pipeline wait for it', async (t) => {
        const reader = await open(t);
        const replies = reader.pipeline([['PING', 'a'],
            ['XREAD', 'BLOCK', '0', 'STREAMS', 'behind', '$'], ['PING', 'b']]);
        await untilBlocked(writer, 1);
        await writer.ok('XADD', 'behind', '1-1', 'f', 'v');
        const [before, read, after] = await replies;
        assert.deepEqual([before, pairsOf(read)[0][0], after], ['a', 'behind', 'b']);
    });

    test('a feed that comes by RENAME or COPY wakes', async (t) => {
        const reader = await open(t);
        await writer.ok('XADD', 'source', '3-3', 'f', 'v');
        let reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'target', '0');
        await untilBlocked(writer, 1);
        await writer.ok('RENAME', 'source', 'target');
        assert.deepEqual(pairsOf(await reply), [['target', [['3-3', ['f', 'v']]]]]);
        reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'copied', '0');
        await untilBlocked(writer, 1);
        await writer.ok('COPY', 'target', 'copied');
        assert.deepEqual(pairsOf(await reply), [['copied', [['3-3', ['f', 'v']]]]]);
    });

    test('DEL, RENAME away and FLUSHDB leave it waiting', async (t) => {
        const reader = await open(t);
        await writer.ok('XADD', 'deleted', '3-3', 'f', 'v');
        const reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'deleted', '3-3');
        await untilBlocked(writer, 1);
        await writer.ok('DEL', 'deleted');
        await writer.ok('XADD', 'deleted', '1-1', 'f', 'too small');
        await writer.ok('RENAME', 'deleted', 'elsewhere');
        await writer.ok('FLUSHDB');
        assert.equal(await blockedClients(writer), 1);
        await writer.ok('XADD', 'deleted', '4-4', 'f', 'w');
        assert.deepEqual(pairsOf(await reply), [['deleted', [['4-4', ['f', 'w']]]]]);
    });

    test('databases are kept apart, SWAPDB brings the feed', async (t) => {
        const reader = await open(t);
        await reader.ok('SELECT', '5');
        const reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'swapped', '0');
        await untilBlocked(writer, 1);
        await writer.ok('XADD', 'swapped', '1-1', 'f', 'v');
        assert.equal(await blockedClients(writer), 1);
        await writer.ok('SWAPDB', '0', '5');
        assert.deepEqual(pairsOf(await reply), [['swapped', [['1-1', ['f', 'v']]]]]);
        await writer.ok('SWAPDB', '0', '5');
    });

    // Redis 7.0 answers with an empty feed here, later versions wait on.
    test('an entry added and trimmed at once wakes nobody', ONLY_WEIR, async (t) => {
        const reader = await open(t);
        const reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'brief', '$');
        await untilBlocked(writer, 1);
        await writer.ok('XADD', 'brief', 'MAXLEN', '0', '1-1', 'f', 'v');
        await delay(20);
        assert.equal(await blockedClients(writer), 1);
        await writer.ok('XADD', 'brief', '2-2', 'f', 'v');
        assert.deepEqual(pairsOf(await reply), [['brief', [['2-2', ['f', 'v']]]]]);
    });

    test('a reader that follows a feed misses nothing and sees nothing twice', async (t) => {
        const entries = QUICK ? 300 : 2000;
        const reader = await open(t);
        const adding = (async () => {
            for (let i = 0; i < entries; i += 20) {
                await writer.pipeline(Array.from({ length: 20 },
                    (_, j) => ['XADD', 'followed', '*', 'i', String(i + j)]));
            }
        })();
        let last = '0';
        let next = 0;
        while (next < entries) {
            const value = await reader.ok('XREAD', 'COUNT', '7', 'BLOCK', '10000', 'STREAMS',
                'followed', last);
            for (const [id, fields] of pairsOf(value)[0][1]) {
                assert.equal(fields[1], String(next++));
                last = id;
            }
        }
        await adding;
    });
});

// Since Redis 7.4.
describe('XREAD from +', ONLY_WEIR, () => {
    test('gives the last entry, or waits for the first', async (t) => {
        const reader = await open(t);
        await writer.pipeline(['1-1', '1-2', '2-0'].map((id) => ['XADD', 'plus', id, 'f', 'v']));
        const last = [['plus', [['2-0', ['f', 'v']]]]];
        assert.deepEqual(pairsOf(await reader.ok('XREAD', 'STREAMS', 'plus', '+')), last);
        assert.deepEqual(pairsOf(await reader.ok('XREAD', 'COUNT', '9', 'BLOCK', '0', 'STREAMS',
            'plus', '+')), last);
        assert.equal(await reader.ok('XREAD', 'STREAMS', 'noplus', '+'), null);
        const reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'noplus', '+');
        await untilBlocked(writer, 1);
        await writer.ok('XADD', 'noplus', '1-1', 'f', 'v');
        assert.deepEqual(pairsOf(await reply), [['noplus', [['1-1', ['f', 'v']]]]]);
    });
});

describe('a blocked client', () => {
    test('that goes away is forgotten', async (t) => {
        const reader = await open(t);
        reader.send('XREAD', 'BLOCK', '0', 'STREAMS', 'left', '$');
        await untilBlocked(writer, 1);
        reader.destroy();
        await untilBlocked(writer, 0);
        await writer.ok('XADD', 'left', '1-1', 'f', 'v');
    });

    test('is woken by CLIENT UNBLOCK, with a null or an error', async (t) => {
        const reader = await open(t);
        const id = await reader.ok('CLIENT', 'ID');
        for (const how of [[], ['TIMEOUT']]) {
            const reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'held', '$');
            await untilBlocked(writer, 1);
            assert.equal(await writer.ok('CLIENT', 'UNBLOCK', String(id), ...how), 1);
            assert.equal(await reply, null);
        }
        const reply = reader.call('XREAD', 'BLOCK', '0', 'STREAMS', 'held', '$');
        await untilBlocked(writer, 1);
        assert.equal(await writer.ok('CLIENT', 'UNBLOCK', String(id), 'ERROR'), 1);
        assert.equal((await reply).message, 'UNBLOCKED client unblocked via CLIENT UNBLOCK');
        assert.equal(await writer.ok('CLIENT', 'UNBLOCK', String(id)), 0);
        assert.equal(await writer.ok('CLIENT', 'UNBLOCK', '999999'), 0);
        assert.ok(await writer.call('CLIENT', 'UNBLOCK', 'x') instanceof ReplyError);
        assert.equal(await reader.call('PING'), 'PONG');
    });

    test('can be killed by CLIENT KILL', async (t) => {
        const reader = await open(t);
        const id = await reader.ok('CLIENT', 'ID');
        reader.send('XREAD', 'BLOCK', '0', 'STREAMS', 'killed', '$');
        await untilBlocked(writer, 1);
        assert.equal(await writer.ok('CLIENT', 'KILL', 'ID', String(id)), 1);
        await reader.closed;
        await untilBlocked(writer, 0);
    });

    test('among a thousand others is woken alone', async (t) => {
        const count = QUICK ? 200 : 1000;
        const readers = await Promise.all(Array.from({ length: count }, () => open(t)));
        const replies = readers.map((reader, i) =>
            reader.call('XREAD', 'BLOCK', '0', 'STREAMS', `room:${i}`, '$'));
        await untilBlocked(writer, count);
        await writer.ok('XADD', 'room:77', '1-1', 'f', 'v');
        assert.deepEqual(pairsOf(await replies[77]), [['room:77', [['1-1', ['f', 'v']]]]]);
        await untilBlocked(writer, count - 1);
        await writer.pipeline(readers.map((_, i) => ['XADD', `room:${i}`, '2-2', 'f', 'v']));
        await Promise.all(replies);
        await untilBlocked(writer, 0);
    });
});
