// Client libraries, as people use them.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import Redis from 'ioredis';
import { nodeRedis as openNodeRedis } from './lib/clients.mjs';
import { suiteScope, weir } from './lib/server.mjs';
import { untilBlocked } from './lib/waiting.mjs';

const scope = suiteScope();
let server;
let observer;

before(async () => {
    server = await weir(scope);
    observer = await server.connect();
    scope.after(() => observer.destroy());
});

async function nodeRedis(t, RESP, options = {}) {
    const client = await openNodeRedis(server.port, { RESP, ...options });
    t.after(() => client.isOpen && client.destroy());
    return client;
}

function ioRedis(t, protocol) {
    const client = new Redis(server.port, '127.0.0.1', { protocol });
    client.on('error', () => {});
    t.after(() => client.disconnect());
    return client;
}

for (const RESP of [2, 3]) {
    describe(`node-redis, RESP${RESP}`, () => {
        test('adds, reads, trims and removes entries', async (t) => {
            const client = await nodeRedis(t, RESP);
            const key = `node:${RESP}`;
            const id = await client.xAdd(key, '*', { temperature: '21', unit: 'C' });
            assert.match(id, /^\d+-\d+$/);
            const next = await client.xAdd(key, '*', { temperature: '22', unit: 'C' });
            const entries = await client.xRange(key, '-', '+');
            assert.deepEqual(entries.map((entry) => [entry.id, { ...entry.message }]), [
                [id, { temperature: '21', unit: 'C' }], [next, { temperature: '22', unit: 'C' }]]);
            assert.equal((await client.xRevRange(key, '+', '-', { COUNT: 1 }))[0].id, next);
            assert.equal(await client.xLen(key), 2);
            assert.equal(await client.xDel(key, id), 1);
            assert.equal(await client.xTrim(key, 'MAXLEN', 0), 1);
            assert.equal(await client.xAddNoMkStream('nosuch', '*', { a: 'b' }), null);
            const limited = { TRIM: { strategy: 'MAXLEN', strategyModifier: '~', threshold: 9 } };
            assert.match(await client.xAdd(key, '*', { a: 'b' }, limited), /-/);
            assert.equal(await client.del(key), 1);
        });

        test('reads several feeds, waits for an entry and for none', async (t) => {
            const client = await nodeRedis(t, RESP);
            const writer = await nodeRedis(t, RESP);
            const keys = [`node:${RESP}:a`, `node:${RESP}:b`];
            await writer.xAdd(keys[0], '1-1', { f: 'v' });
            await writer.xAdd(keys[1], '2-2', { f: 'w' });
            const both = await client.xRead(keys.map((key) => ({ key, id: '0' })), { COUNT: 5 });
            assert.deepEqual(both.map(({ name, messages }) => [name, messages[0].id]),
                [[keys[0], '1-1'], [keys[1], '2-2']]);
            const waiting = client.xRead({ key: keys[0], id: '$' }, { BLOCK: 0 });
            await untilBlocked(observer, 1);
            await writer.xAdd(keys[0], '3-3', { f: 'x' });
            assert.equal((await waiting)[0].messages[0].id, '3-3');
            assert.equal(await client.xRead({ key: keys[0], id: '$' }, { BLOCK: 20 }), null);
        });

        test('asks about feeds and keys', async (t) => {
            const client = await nodeRedis(t, RESP);
            const key = `node:${RESP}:info`;
            await client.xAdd(key, '1-1', { f: 'v' });
            await client.xAdd(key, '1-2', { f: 'w' });
            const info = await client.xInfoStream(key);
            assert.equal(info.length, 2);
            assert.equal(info['last-generated-id'], '1-2');
            assert.equal(info['entries-added'], 2);
            assert.equal(info['first-entry'].id, '1-1');
            assert.equal(await client.type(key), 'stream');
            assert.equal(await client.exists([key, 'nosuch']), 1);
            const found = [];
            for await (const keys of client.scanIterator({ MATCH: `node:${RESP}:*`, COUNT: 3 })) {
                found.push(...keys);
            }
            assert.ok(found.includes(key));
            assert.deepEqual((await client.keys(key)), [key]);
            await client.rename(key, `${key}:new`);
            assert.equal(await client.copy(`${key}:new`, key), 1);
            await assert.rejects(client.xAdd(key, '1-1', { f: 'v' }), /equal or smaller/);
            await assert.rejects(client.sendCommand(['NOSUCH', 'a']), /unknown command 'NOSUCH'/);
        });

        test('asks about the server', async (t) => {
            const client = await nodeRedis(t, RESP, { name: 'tester' });
            assert.equal(await client.ping(), 'PONG');
            assert.equal(await client.echo('hello'), 'hello');
            assert.match(await client.info(), /redis_version:7\./);
            assert.match(await client.info('server'), /redis_mode:standalone/);
            assert.equal(await client.clientGetName(), 'tester');
            assert.ok((await client.clientId()) > 0);
            assert.ok((await client.clientList()).some((other) => other.name === 'tester'));
            assert.equal((await client.clientInfo()).name, 'tester');
            assert.equal((await client.configGet('appendfsync')).appendfsync, 'always');
            assert.ok((await client.commandCount()) > 20);
            assert.ok((await client.commandInfo(['xadd']))[0].arity === -5);
            assert.ok(await client.dbSize() >= 0);
            assert.ok((await client.time()) !== null);
        });

        test('a pipeline of 10,000 commands is answered in order', async (t) => {
            const client = await nodeRedis(t, RESP);
            const key = `node:${RESP}:many`;
            const ids = await Promise.all(Array.from({ length: 10_000 },
                (_, i) => client.xAdd(key, `${i + 1}-0`, { i: String(i) })));
            assert.deepEqual([ids[0], ids[9999]], ['1-0', '10000-0']);
            assert.equal(await client.xLen(key), 10_000);
            assert.equal((await client.xRange(key, '-', '+')).length, 10_000);
        });
    });

    describe(`ioredis, RESP${RESP}`, () => {
        test('adds, reads and waits', async (t) => {
            const client = ioRedis(t, RESP);
            const writer = ioRedis(t, RESP);
            const key = `io:${RESP}`;
            const id = await client.xadd(key, '*', 'f', 'v');
            assert.deepEqual(await client.xrange(key, '-', '+'), [[id, ['f', 'v']]]);
            assert.deepEqual(await client.xread('COUNT', 1, 'STREAMS', key, '0'),
                [[key, [[id, ['f', 'v']]]]]);
            const waiting = client.xread('BLOCK', 0, 'STREAMS', key, '$');
            await untilBlocked(observer, 1);
            const next = await writer.xadd(key, '*', 'f', 'w');
            assert.deepEqual(await waiting, [[key, [[next, ['f', 'w']]]]]);
            assert.equal(await client.xread('BLOCK', 10, 'STREAMS', key, '$'), null);
            assert.equal(await client.xlen(key), 2);
            assert.equal(await client.xdel(key, id, '1-1'), 1);
        });

        test('pipelines, binary values and errors', async (t) => {
            const client = ioRedis(t, RESP);
            const key = `io:${RESP}:bytes`;
            const bytes = Buffer.from([0, 255, 13, 10, 36]);
            const replies = await client.pipeline().xadd(key, '1-1', 'f', bytes)
                .xadd(key, '1-1', 'f', 'again').xlen(key).exec();
            assert.equal(replies[0][1], '1-1');
            assert.match(replies[1][0].message, /equal or smaller/);
            assert.equal(replies[2][1], 1);
            const entries = await client.xrangeBuffer(key, '-', '+');
            assert.ok(entries[0][1][1].equals(bytes));
        });

        test('scans and asks', async (t) => {
            const client = ioRedis(t, RESP);
            const key = `io:${RESP}:scan`;
            await client.xadd(key, '*', 'f', 'v');
            const found = [];
            for await (const keys of client.scanStream({ match: 'io:*' })) found.push(...keys);
            assert.ok(found.includes(key));
            assert.match(await client.info(), /loading:0/);
            assert.ok(Array.isArray(await client.xinfo('STREAM', key)));
            assert.equal(await client.type(key), 'stream');
            assert.equal(await client.object('ENCODING', key), 'stream');
        });
    });
}

test('a client that lost its server goes on when it is back', async (t) => {
    const client = await nodeRedis(t, 3, { socket: { reconnectStrategy: () => 20 } });
    await client.xAdd('back', '1-1', { f: 'v' });
    await server.restart('SIGKILL');
    assert.equal((await client.xRange('back', '-', '+'))[0].id, '1-1');
});
