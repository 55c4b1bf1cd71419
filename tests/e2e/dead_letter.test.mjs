// Groups and policies: dead letters, XNACK, and what is kept until it is acknowledged.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import Redis from 'ioredis';
import { nodeRedis } from './lib/clients.mjs';
import { delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ONLY_WEIR, QUICK, smallMemory, suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

describe('groups with a policy', ONLY_WEIR, () => {
    const scope = suiteScope();
    let server;
    let client;

    before(async () => {
        server = await weir(scope, { args: smallMemory('1mb') });
        client = await server.connect({ protocol: 3 });
        scope.after(() => client.destroy());
    });

    test('a node-redis worker that fails sends its entries to the dead letters', async (t) => {
        const node = await nodeRedis(server.port);
        t.after(() => node.destroy());
        await node.xGroupCreate('jobs', 'g', '0', { MKSTREAM: true });
        await node.sendCommand(
            ['FEED.POLICY', 'jobs', 'MAXDELIVERIES', '3', 'DEADLETTER', 'jobs:dead']);
        const ids = [];
        for (let i = 0; i < 20; i++) ids.push(await node.xAdd('jobs', '*', { n: String(i) }));
        await node.xReadGroup('g', 'worker', [{ key: 'jobs', id: '>' }]);
        await node.xAck('jobs', 'g', ids.filter((_, i) => i % 5 !== 0));
        for (let round = 0; round < 3; round++) await node.xAutoClaim('jobs', 'g', 'other', 0, '0');
        assert.equal((await node.xPending('jobs', 'g')).pending, 0);
        const dead = await node.xRange('jobs:dead', '-', '+');
        assert.deepEqual(dead.map(({ message }) => message.id), ids.filter((_, i) => i % 5 === 0));
        assert.deepEqual({ ...dead[1].message }, { origin: 'jobs', id: ids[5], group: 'g',
            consumer: 'other', deliveries: '3', n: '5' });
    });

    test('an ioredis worker gives entries back, for later', async (t) => {
        const io = new Redis(server.port, '127.0.0.1');
        t.after(() => io.disconnect());
        await io.xgroup('CREATE', 'nack', 'g', '0', 'MKSTREAM');
        const id = await io.xadd('nack', '*', 'f', 'v');
        await io.xreadgroup('GROUP', 'g', 'a', 'STREAMS', 'nack', '>');
        const since = Date.now();
        const replies = await io.multi().call('XNACK', 'nack', 'g', 'FAIL', 'DELAY', '150', 'IDS', '1', id)
            .xautoclaim('nack', 'g', 'b', 0, '0').exec();
        assert.deepEqual(replies, [[null, 1], [null, ['0-0', [], []]]]);
        let claimed = [];
        await until(async () => {
            [, claimed] = await io.xautoclaim('nack', 'g', 'b', 0, '0');
            return claimed.length === 1;
        });
        assert.ok(Date.now() - since >= 149);
        assert.equal(await io.call('XNACK', 'nack', 'g', 'SILENT', 'IDS', '1', id), 1);
        const [[, , idle, deliveries]] = await io.xpending('nack', 'g', '-', '+', 10);
        assert.ok(idle > 1e9);
        assert.equal(deliveries, 1);
    });

    test('a key that holds something else is no dead-letter feed', async () => {
        await client.ok('SET', 'text', 'x');
        await assert.rejects(
            client.ok('FEED.POLICY', 'k', 'MAXDELIVERIES', '1', 'DEADLETTER', 'text'), /WRONGTYPE/);
        assert.equal(await client.ok('EXISTS', 'k'), 0);
    });

    test('a feed does not become its own dead-letter feed by its name', async () => {
        await client.ok('FEED.POLICY', 'own', 'MAXDELIVERIES', '1', 'DEADLETTER', 'own:dead');
        const refused = /ERR a feed cannot be its own dead-letter feed$/;
        await assert.rejects(client.ok('FEED.POLICY', 'own:dead', 'MAXDELIVERIES', '1',
            'DEADLETTER', 'own:dead'), refused);
        await assert.rejects(client.ok('RENAME', 'own', 'own:dead'), refused);
        await assert.rejects(client.ok('RENAMENX', 'own', 'own:dead'), refused);
        assert.equal(await client.ok('EXISTS', 'own', 'own:dead'), 1);
        await client.ok('RENAME', 'own', 'other');
        await client.ok('FEED.POLICY', '', 'MAXLEN', '5');
        assert.equal((await client.ok('FEED.POLICY', '')).get('maxlen'), 5);
    });

    test('what finds no id left in the dead-letter feed stays pending', async () => {
        await client.ok('XADD', 'full:dead', '18446744073709551615-18446744073709551614', 'f', 'v');
        await client.ok('XGROUP', 'CREATE', 'full', 'g', '0', 'MKSTREAM');
        await client.ok('FEED.POLICY', 'full', 'MAXDELIVERIES', '1', 'DEADLETTER', 'full:dead');
        const ids = [];
        for (let i = 0; i < 3; i++) ids.push(await client.ok('XADD', 'full', '*', 'f', 'v'));
        await client.ok('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'full', '>');
        assert.deepEqual((await client.ok('XAUTOCLAIM', 'full', 'g', 'c', '0', '0'))[1], []);
        assert.equal(await client.ok('XLEN', 'full:dead'), 2);
        const pending = await client.ok('XPENDING', 'full', 'g', '-', '+', '10');
        assert.deepEqual(pending.map(([id, , , deliveries]) => [id, deliveries]),
            ids.slice(1).map((id) => [id, 1]));
    });

    test('ACKED holds entries for the slowest group, MAXLAG parks it', async () => {
        await client.ok('XGROUP', 'CREATE', 'held', 'slow', '0', 'MKSTREAM');
        await client.ok('XGROUP', 'CREATE', 'held', 'fast', '0');
        await client.ok('FEED.POLICY', 'held', 'MAXLEN', '10', 'ACKED', 'yes');
        const commands = Array.from({ length: 200 }, () => ['XADD', 'held', '*', 'f', 'v']);
        await client.pipeline(commands);
        await client.ok('XREADGROUP', 'GROUP', 'fast', 'c', 'NOACK', 'STREAMS', 'held', '>');
        await delay(100);
        assert.equal(await client.ok('XLEN', 'held'), 200);
        await client.ok('XREADGROUP', 'GROUP', 'slow', 'c', 'COUNT', '50', 'NOACK', 'STREAMS',
            'held', '>');
        await until(async () => await client.ok('XLEN', 'held') === 150);
        await client.ok('FEED.POLICY', 'held', 'MAXLAG', '50');
        await until(async () => await client.ok('XLEN', 'held') === 10);
        assert.deepEqual((await client.ok('FEED.INFO', 'held')).get('parked'), ['slow']);
        const groups = await client.ok('XINFO', 'GROUPS', 'held');
        assert.deepEqual(groups.map((group) => [group.get('name'), group.get('parked')]),
            [['fast', 0], ['slow', 1]]);
        assert.match(server.describe(), /group parked.*key="held" group="slow"/);
    });

    // What deleted consumers had stays on disk: it takes several reads to get past it.
    test('ACKED comes to an end however much groups have behind them', async () => {
        const count = 80_000;
        await client.ok('XGROUP', 'CREATE', 'behind', 'a', '0', 'MKSTREAM');
        await client.ok('XGROUP', 'CREATE', 'behind', 'b', '0');
        await client.pipeline(Array.from({ length: count },
            (_, i) => ['XADD', 'behind', `${i + 1}-0`, 'f', 'v']));
        for (const group of ['a', 'b']) {
            for (const [name, wanted] of [['gone', count - 100], ['there', 100]]) {
                await client.ok('XREADGROUP', 'GROUP', group, name, 'COUNT', String(wanted), 'STREAMS',
                    'behind', '>');
            }
        }
        await client.ok('SAVE');
        for (const group of ['a', 'b']) await client.ok('XGROUP', 'DELCONSUMER', 'behind', group, 'gone');
        await client.ok('FEED.POLICY', 'behind', 'MAXLEN', '10', 'ACKED', 'yes');
        await until(async () => await client.ok('XLEN', 'behind') === 100);
    });
});

// Every entry ends once: acknowledged, dead or still pending, whatever is killed in between.
test('kills lose no entry of a group with dead letters, and double none', ONLY_WEIR, async (t) => {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, { args: smallMemory('1mb') });
    const acknowledged = new Set();
    const maybe = new Set();
    let added = 0;
    let connection = await server.connect({ protocol: 3 });
    await connection.ok('XGROUP', 'CREATE', 'k', 'g', '0', 'MKSTREAM');
    await connection.ok('FEED.POLICY', 'k', 'MAXDELIVERIES', '2', 'DEADLETTER', 'dead');

    async function work() {
        for (;;) {
            const id = `${++added}-0`;
            maybe.add(id);
            await connection.ok('XADD', 'k', id, 'n', String(added));
            maybe.delete(id);
            await connection.ok('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>');
            if (random.chance(0.5)) {
                maybe.add(id);
                if (await connection.ok('XACK', 'k', 'g', id) === 1) acknowledged.add(id);
                maybe.delete(id);
            }
            if (random.chance(0.3)) await connection.ok('XAUTOCLAIM', 'k', 'g', 'd', '0', '0');
            if (random.chance(0.1)) await connection.ok('XNACK', 'k', 'g', 'FATAL', 'IDS', '1', id);
            if (random.chance(0.01)) await connection.ok('SAVE');
        }
    }

    for (let kill = 0; kill < (QUICK ? 3 : 8); kill++) {
        const working = work().catch(() => {});
        await delay(random.between(30, 250));
        await server.stop('SIGKILL');
        await working;
        connection.destroy();
        await server.start();
        connection = await server.connect({ protocol: 3 });
    }
    await connection.ok('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>');
    const entries = (await connection.ok('XRANGE', 'k', '-', '+')).map(([id]) => id);
    const pending = (await connection.ok('XPENDING', 'k', 'g', '-', '+', '1000000'));
    const dead = (await connection.ok('XRANGE', 'dead', '-', '+')).map(([, fields]) => fields[3]);
    assert.equal(new Set(dead).size, dead.length, 'an entry is dead twice');
    const ends = new Map(entries.map((id) => [id, 0]));
    for (const [id] of pending) ends.set(id, ends.get(id) + 1);
    for (const id of dead) ends.set(id, ends.get(id) + 1);
    for (const id of acknowledged) ends.set(id, ends.get(id) + 1);
    for (const [id, count] of ends) {
        if (maybe.has(id)) assert.ok(count <= 1, `${id} ends ${count} times`);
        else assert.equal(count, 1, `${id} ends ${count} times`);
    }
    t.diagnostic(`${entries.length} entries, ${dead.length} dead, ${pending.length} pending`);
    connection.destroy();
});
