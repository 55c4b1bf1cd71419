// XADD with DELAY and AT, FEED.CANCEL: entries that come later, through kills and restarts.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import Redis from 'ioredis';
import { nodeRedis } from './lib/clients.mjs';
import { delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ONLY_WEIR, QUICK, smallMemory, suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

describe('delayed entries', ONLY_WEIR, () => {
    const scope = suiteScope();
    let server;
    let client;

    before(async () => {
        server = await weir(scope);
        client = await server.connect({ protocol: 3 });
        scope.after(() => client.destroy());
    });

    test('come at their time, not before, and have an id of that time', async () => {
        const handle = await client.ok('XADD', 'k', 'DELAY', '150', '*', 'f', 'v');
        const [due, number] = handle.split('-').map(Number);
        assert.equal(number, 1);
        assert.equal(await client.ok('XLEN', 'k'), 0);
        assert.equal(await client.ok('TYPE', 'k'), 'stream');
        await until(async () => await client.ok('XLEN', 'k') === 1);
        assert.ok(Date.now() >= due);
        const [[id, fields]] = await client.ok('XRANGE', 'k', '-', '+');
        assert.ok(Number(id.split('-')[0]) >= due);
        assert.ok(Number(id.split('-')[0]) <= Date.now());
        assert.deepEqual(fields, ['f', 'v']);
    });

    test('wake who waits for the feed', async (t) => {
        const reader = await server.connect({ protocol: 3 });
        t.after(() => reader.destroy());
        const woken = reader.ok('XREAD', 'BLOCK', '10000', 'STREAMS', 'wake', '$');
        await client.ok('XADD', 'wake', 'DELAY', '50', '*', 'f', 'v');
        const [[name, entries]] = [...await woken];
        assert.equal(name, 'wake');
        assert.equal(entries.length, 1);
    });

    test('are told by FEED.INFO and taken back by FEED.CANCEL', async () => {
        const handle = await client.ok('XADD', 'back', 'DELAY', '100000', '*', 'f', 'v');
        assert.equal((await client.ok('FEED.INFO', 'back')).get('delayed'), 1);
        assert.equal(await client.ok('FEED.CANCEL', 'back', handle), 1);
        assert.equal(await client.ok('FEED.CANCEL', 'back', handle), 0);
        assert.equal((await client.ok('FEED.INFO', 'back')).get('delayed'), 0);
        await assert.rejects(client.ok('FEED.INFO', 'nokey'), /no such key/);
        await assert.rejects(client.ok('FEED.CANCEL', 'back', '1-1'), /due already/);
    });

    test('leave XINFO GROUPS as it is without a policy', async () => {
        await client.ok('XADD', 'grouped', 'DELAY', '100000', '*', 'f', 'v');
        await client.ok('XGROUP', 'CREATE', 'grouped', 'g', '0');
        const [group] = await client.ok('XINFO', 'GROUPS', 'grouped');
        assert.equal(group.get('name'), 'g');
        assert.ok(!group.has('parked'));
    });

    test('come through node-redis and ioredis', async (t) => {
        const node = await nodeRedis(server.port);
        t.after(() => node.destroy());
        const io = new Redis(server.port, '127.0.0.1');
        t.after(() => io.disconnect());
        const handle = await io.call('XADD', 'libs', 'DELAY', '60', '*', 'from', 'io');
        assert.match(handle, /^\d+-1$/);
        await node.sendCommand(['XADD', 'libs', 'DELAY', '90', '*', 'from', 'node']);
        await until(async () => await node.xLen('libs') === 2);
        const entries = await node.xRange('libs', '-', '+');
        assert.deepEqual(entries.map(({ message }) => message.from), ['io', 'node']);
    });

    test('that became due while the server was down come when it starts', async (t) => {
        const other = await weir(t);
        let connection = await other.connect();
        for (const fold of [false, true]) {
            await connection.ok('XADD', 'late', 'DELAY', '200', '*', 'fold', String(fold));
            if (fold) await connection.ok('SAVE');
            connection.destroy();
            await other.stop('SIGKILL');
            await delay(300);
            await other.start();
            connection = await other.connect();
            await until(async () => await connection.ok('XLEN', 'late') === (fold ? 2 : 1));
        }
        connection.destroy();
    });
});

// Sends delayed entries and cancellations until the server is gone; notes what was acknowledged.
class Delayer {
    constructor(random) {
        this.random = random;
        this.counter = 0;
        this.acknowledged = new Map(); // value: handle
        this.cancelled = new Set();    // taken back for sure
        this.maybe = new Set();        // nobody knows
    }

    async add(connection) {
        const value = String(this.counter++);
        const ms = String(this.random.below(800));
        this.maybe.add(value);
        const handle = await connection.ok('XADD', 'k', 'DELAY', ms, '*', 'n', value);
        this.maybe.delete(value);
        this.acknowledged.set(value, handle);
    }

    async cancel(connection) {
        const values = [...this.acknowledged.keys()].slice(-30);
        if (values.length === 0) return;
        const value = values[this.random.below(values.length)];
        const wasMaybe = this.maybe.has(value);
        this.maybe.add(value);
        const answer = await connection.call('FEED.CANCEL', 'k', this.acknowledged.get(value));
        if (answer === 1) this.cancelled.add(value);
        if (!wasMaybe) this.maybe.delete(value);
    }

    async run(connection) {
        try {
            for (;;) {
                if (this.random.chance(0.2)) await this.cancel(connection);
                else await this.add(connection);
            }
        } catch { /* the server was killed */ }
    }

    verify(entries) {
        const seen = new Map();
        for (const [id, [, value]] of entries) {
            assert.ok(!seen.has(value), `${value} came twice`);
            assert.ok(!this.cancelled.has(value), `${value} came though it was taken back`);
            const handle = this.acknowledged.get(value);
            assert.ok(handle || this.maybe.has(value), `${value} was never sent`);
            if (handle) {
                assert.ok(Number(id.split('-')[0]) >= Number(handle.split('-')[0]),
                    `${value} came before its time`);
            }
            seen.set(value, id);
        }
        for (const value of this.acknowledged.keys()) {
            if (this.cancelled.has(value) || this.maybe.has(value)) continue;
            assert.ok(seen.has(value), `${value} never came`);
        }
    }
}

test('kills lose no delayed entry and double none', ONLY_WEIR, async (t) => {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, { args: smallMemory('1mb') });
    const delayer = new Delayer(random);
    for (let kill = 0; kill < (QUICK ? 4 : 10); kill++) {
        const connection = await server.connect();
        const saver = await server.connect();
        const running = delayer.run(connection);
        await delay(random.between(20, 300));
        if (random.chance(0.5)) await saver.call('SAVE');
        await delay(random.between(1, 50));
        await server.stop('SIGKILL');
        await running;
        connection.destroy();
        saver.destroy();
        if (random.chance(0.3)) await delay(400);
        await server.start();
    }
    const connection = await server.connect({ protocol: 3 });
    await delay(900);
    await until(async () => (await connection.ok('FEED.INFO', 'k')).get('delayed') === 0);
    delayer.verify(await connection.ok('XRANGE', 'k', '-', '+'));
    t.diagnostic(`${delayer.counter} delayed entries`);
    connection.destroy();
});
