// FEED.POLICY: what a feed keeps, on idle feeds and through kills.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import { nodeRedis } from './lib/clients.mjs';
import { delay } from './lib/connection.mjs';
import { ONLY_WEIR, QUICK, smallMemory, suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

async function add(connection, key, count, value = 'v') {
    const commands = Array.from({ length: count }, () => ['XADD', key, '*', 'f', value]);
    await connection.pipeline(commands);
}

describe('FEED.POLICY', ONLY_WEIR, () => {
    const scope = suiteScope();
    let server;
    let client;

    before(async () => {
        server = await weir(scope, { args: smallMemory('1mb') });
        client = await server.connect({ protocol: 3 });
        scope.after(() => client.destroy());
    });

    test('is told as a map in RESP3 and a flat array in RESP2', async (t) => {
        const old = await server.connect({ protocol: 2 });
        t.after(() => old.destroy());
        assert.equal(await client.ok('FEED.POLICY', 'told', 'MAXAGE', '1000'), 'OK');
        const told = [['maxage', 1000], ['maxbytes', 0], ['maxlen', 0]];
        assert.deepEqual([...await client.ok('FEED.POLICY', 'told')].slice(0, 3), told);
        assert.deepEqual((await old.ok('FEED.POLICY', 'told')).slice(0, 6), told.flat());
        await assert.rejects(client.ok('FEED.POLICY', 'told', 'MAXLEN', '-5'), /out of range/);
        await client.ok('FLUSHALL');
        await assert.rejects(client.ok('FEED.POLICY', 'told'), /no such key/);
    });

    test('MAXAGE empties an idle feed', async () => {
        await client.ok('FEED.POLICY', 'old', 'MAXAGE', '200');
        await add(client, 'old', 1000);
        await until(async () => await client.ok('XLEN', 'old') === 0);
        assert.equal((await client.ok('XINFO', 'STREAM', 'old')).get('entries-added'), 1000);
    });

    test('MAXLEN holds at the end of every command, and wakes nobody', async () => {
        await client.ok('FEED.POLICY', 'long', 'MAXLEN', '100');
        for (let i = 0; i < 20; i++) {
            await add(client, 'long', 500);
            await until(async () => await client.ok('XLEN', 'long') === 100);
        }
        assert.equal((await client.ok('XINFO', 'STREAM', 'long')).get('entries-added'), 10000);
    });

    test('MAXBYTES bounds what many entries take together', async () => {
        await client.ok('FEED.POLICY', 'large', 'MAXBYTES', '100000');
        await add(client, 'large', 5000, 'x'.repeat(100));
        await until(async () => await client.ok('XLEN', 'large') <= 840); // of 119 bytes
        const length = await client.ok('XLEN', 'large');
        assert.ok(length >= 780, `${length} entries`);
        assert.ok((await client.ok('FEED.INFO', 'large')).get('bytes') <= 100000);
    });

    test('works for entries of a client library', async (t) => {
        const node = await nodeRedis(server.port);
        t.after(() => node.destroy());
        await node.sendCommand(['FEED.POLICY', 'node', 'MAXLEN', '3']);
        for (let i = 0; i < 10; i++) await node.xAdd('node', '*', { i: String(i) });
        await until(async () => await node.xLen('node') === 3);
        const entries = await node.xRange('node', '-', '+');
        assert.deepEqual(entries.map(({ message }) => message.i), ['7', '8', '9']);
    });

    test('holds after kills, also for what went over it meanwhile', async (t) => {
        const other = await weir(t, { args: smallMemory('1mb') });
        let connection = await other.connect();
        await connection.ok('FEED.POLICY', 'age', 'MAXAGE', '300');
        await connection.ok('FEED.POLICY', 'len', 'MAXLEN', '50');
        await connection.ok('FEED.POLICY', 'bytes', 'MAXBYTES', '20000');
        for (let kill = 0; kill < (QUICK ? 3 : 6); kill++) {
            await Promise.all(['age', 'len', 'bytes'].map((key) => add(connection, key, 2000)));
            if (kill % 2 === 0) await connection.ok('SAVE');
            connection.destroy();
            await other.stop('SIGKILL');
            if (kill % 3 === 0) await delay(400);
            await other.start();
            connection = await other.connect({ protocol: 3 });
            await until(async () => await connection.ok('XLEN', 'age') === 0);
            await until(async () => await connection.ok('XLEN', 'len') === 50);
            await until(async () => await connection.ok('XLEN', 'bytes') <= 1111);
            assert.ok(await connection.ok('XLEN', 'bytes') >= 1040); // of 18 bytes
        }
        connection.destroy();
    });
});
