// Strings, hashes and times of expiry in both stores: as in Redis, also after folds and restarts;
// and what only Weir has, range rules.

import assert from 'node:assert/strict';
import test from 'node:test';
import { KeyGenerator } from './lib/key_generator.mjs';
import { asMap } from './lib/resp.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { QUICK, redis, smallMemory, weir } from './lib/server.mjs';
import { Twin } from './lib/twin.mjs';
import { until } from './lib/waiting.mjs';

const STEPS = QUICK ? 1500 : 8000;
const STEPS_BETWEEN_CHECKS = 1000;

async function twinOf(t, args) {
    const seed = seedOfRun(t);
    const twin = new Twin(await weir(t, { args }), await redis(t), seed);
    await twin.connect();
    t.after(() => twin.destroy());
    return { twin, random: new Random(seed) };
}

// A random command, or now and then a key that goes through DUMP and RESTORE.
async function step(twin, random, generator) {
    const index = random.below(twin.pairs.length);
    if (random.chance(0.02)) await twin.dumpAndRestore(index, generator.restoring());
    else await twin.run(index, generator.next());
}

test('random commands on keys of both stores get the replies that Redis gives', async (t) => {
    const { twin, random } = await twinOf(t, ['--appendfsync', 'no']);
    const generator = new KeyGenerator(random);
    for (let i = 1; i <= STEPS; i++) {
        await step(twin, random, generator);
        if (i % STEPS_BETWEEN_CHECKS === 0) await twin.compareAll();
    }
});

test('the order in which what is wrong is told', async (t) => {
    const { twin } = await twinOf(t, ['--appendfsync', 'no']);
    await twin.run(0, ['SET', 'bits', 'abc']);
    for (const rest of ['0', '0 x', '-4 -9', '-4 -9 x', '-4 -9 BIT x', '0 1 BIT', '0 1 x', 'x 1 BIT x',
        '0 x BIT', '0 x BYTES']) {
        for (const key of ['bits', 'none']) {
            await twin.run(0, ['BITCOUNT', key, ...rest.split(' ')]);
            await twin.run(0, ['BITPOS', key, '1', ...rest.split(' ')]);
        }
    }
});

test('durable keys survive folds, cold reads and restarts', async (t) => {
    const { twin, random } = await twinOf(t, ['--appendfsync', 'no', ...smallMemory('1mb')]);
    const keys = Array.from({ length: 60 }, (_, i) => `key:{${i % 7}}:${i}`);
    const generator = new KeyGenerator(random, { keys, valueBytesMax: 60_000 });
    for (let i = 1; i <= STEPS / 2; i++) {
        await step(twin, random, generator);
        if (i % 800 === 0) await twin.restart(random.pick(['SIGTERM', 'SIGKILL']));
    }
    await twin.compareAll();
});

// The rule as a map.
async function rule(client, key) {
    return asMap(await client.ok('RANGE.OF', key));
}

test('keys expire by themselves in both stores, also those that only lie on disk', async (t) => {
    const server = await weir(t, { args: ['--notify-keyspace-events', 'Ex'] });
    const client = await server.connect({ protocol: 2 });
    for (const prefix of ['', 'cache:']) {
        await client.ok('SET', `${prefix}soon`, 'v', 'PX', '60');
        await client.ok('SET', `${prefix}later`, 'v', 'EX', '1000');
        await client.ok('HSET', `${prefix}hash`, 'f', 'v');
        await client.ok('PEXPIRE', `${prefix}hash`, '60');
    }
    await client.ok('XADD', 'feed', '1-1', 'f', 'v');
    await client.ok('PEXPIRE', 'feed', '60');
    await until(async () => (await client.ok('DBSIZE')) === 2);
    assert.deepEqual((await client.ok('KEYS', '*')).sort(), ['cache:later', 'later']);

    await client.ok('SET', 'cold', 'v', 'PX', '1500');
    await server.restart('SIGTERM');
    const after = await server.connect({ protocol: 2 });
    assert.equal(await after.ok('DBSIZE'), 2);
    await until(async () => (await after.ok('DBSIZE')) === 1);
    assert.ok((await after.ok('TTL', 'later')) > 900);
    after.destroy();
    client.destroy();
});

test('a counter that is incremented often survives a kill as it was', async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'no', ...smallMemory('1mb')] });
    const client = await server.connect({ protocol: 2 });
    for (let i = 0; i < 100; i++) {
        await client.pipeline(Array.from({ length: 1000 }, () => ['INCR', 'counter']));
    }
    await server.restart('SIGKILL');
    const after = await server.connect({ protocol: 2 });
    assert.equal(await after.ok('GET', 'counter'), '100000');
    assert.equal(await after.ok('DBSIZE'), 1);
    after.destroy();
    client.destroy();
});

test('memory ranges keep within their budgets', async (t) => {
    const server = await weir(t, { args: ['--range', '0', 'small:', 'memory', 'maxmemory',
        '1mb', 'policy', 'noeviction'] });
    const client = await server.connect({ protocol: 3 });
    await client.ok('RANGE.SET', '0', 'lru:', 'MEMORY', 'MAXMEMORY', '1mb', 'POLICY', 'allkeys-lru');
    await client.ok('SET', 'durable', 'v');
    let refused = 0;
    for (let i = 0; i < 20000; i++) {
        await client.ok('SET', `lru:${i}`, 'x'.repeat(100));
        if (i % 4 === 0) {
            const reply = await client.call('SET', `small:${i}`, 'x'.repeat(1000));
            if (reply !== 'OK') {
                assert.equal(reply.message,
                    "OOM command not allowed when used memory > 'maxmemory'.");
                refused++;
            }
        }
    }
    const lru = await rule(client, 'lru:1');
    assert.ok(lru.get('bytes') <= 1 << 20 && lru.get('bytes') > 900_000 && lru.get('keys') > 4000);
    assert.equal(lru.get('keys') + lru.get('evictions'), 20000);
    const small = await rule(client, 'small:1');
    assert.ok(refused > 3000 && small.get('evictions') === 0);
    assert.equal(small.get('keys') + refused, 5000);
    assert.equal(await client.ok('GET', 'small:0'), 'x'.repeat(1000));
    assert.equal(await client.ok('GET', 'durable'), 'v');
    assert.equal(await client.ok('DEL', 'small:0'), 1);
    client.destroy();
});

test('range rules are kept, the longest prefix wins, and keys do not change their store', async (t) => {
    const server = await weir(t, {});
    const client = await server.connect({ protocol: 3 });
    await client.ok('SET', 'a:1', 'v');
    const hasKeys = /has keys/;
    await assert.rejects(client.ok('RANGE.SET', '0', 'a:', 'MEMORY'), hasKeys);
    await assert.rejects(client.ok('RANGE.SET', '*', '', 'MEMORY'), hasKeys);
    await client.ok('RANGE.SET', '0', 'a:b:', 'MEMORY');
    await client.ok('RANGE.SET', '1', 'a:', 'MEMORY', 'MAXMEMORY', '0');
    await client.ok('SET', 'a:b:1', 'v');
    await assert.rejects(client.ok('RANGE.DEL', '0', 'a:b:'), hasKeys);
    await assert.rejects(client.ok('RANGE.DEL', '*', ''), /stays/);
    await assert.rejects(client.ok('RANGE.DEL', '0', 'nothing:'), /no such range rule/);
    await assert.rejects(client.ok('RANGE.SET', '99', 'x', 'MEMORY'), /out of range/);
    await assert.rejects(client.ok('RANGE.SET', '0', 'x', 'DISK'), /DURABLE or MEMORY/);
    await assert.rejects(client.ok('RANGE.SET', '0', 'x', 'MEMORY', 'POLICY', 'no'), /policy/);
    await assert.rejects(client.ok('XADD', 'a:b:feed', '*', 'f', 'v'), /feeds live in durable/);
    await assert.rejects(client.ok('RENAME', 'feed', 'a:b:feed'), /no such key/);
    assert.equal((await rule(client, 'a:b:1')).get('store'), 'memory');
    assert.equal((await rule(client, 'a:1')).get('store'), 'durable');

    await server.restart('SIGKILL');
    const after = await server.connect({ protocol: 3 });
    assert.deepEqual(await after.ok('KEYS', '*'), ['a:1']);
    assert.equal((await rule(after, 'a:b:1')).get('store'), 'memory');
    await after.ok('RANGE.DEL', '0', 'a:b:');
    assert.equal((await rule(after, 'a:b:1')).get('store'), 'durable');
    await after.ok('DEL', 'a:1');
    await after.ok('RANGE.SET', '0', 'a:', 'MEMORY');
    assert.equal((await rule(after, 'a:1')).get('store'), 'memory');
    assert.equal((await after.ok('RANGE.LIST')).length, 4);
    after.destroy();
    client.destroy();
});

// What a key may hold after a crash: what was acknowledged last, or anything sent after it.
test('kill -9 loses no durable key that was acknowledged', async (t) => {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, { args: ['--appendfsync', 'always', ...smallMemory('1mb')] });
    const sent = new Map();  // key -> values, the acknowledged one first
    for (let kill = 0; kill < (QUICK ? 3 : 8); kill++) {
        const client = await server.connect({ protocol: 2 });
        const rounds = random.between(1, 30);
        for (let round = 0; round < rounds; round++) {
            const writes = Array.from({ length: 50 }, (_, i) => ({
                key: `key:${random.below(200)}`, value: `${kill}.${round}.${i}.${'x'.repeat(random.below(500))}`,
            }));
            for (const { key, value } of writes) {
                sent.set(key, [...(sent.get(key) ?? [null]), value]);
            }
            const done = client.pipeline(writes.map(({ key, value }) => (random.chance(0.3)
                ? ['MSET', key, value, 'other', value] : ['SET', key, value])));
            if (round === rounds - 1) done.catch(() => {});
            else await done;
            if (round < rounds - 1) {
                for (const { key } of writes) sent.set(key, sent.get(key).slice(-1));
            }
        }
        await server.restart('SIGKILL');
        client.destroy();
        const after = await server.connect({ protocol: 2 });
        for (const [key, values] of sent) {
            const value = await after.ok('GET', key);
            assert.ok(values.includes(value), `${key} is ${value}`);
            sent.set(key, [value]);
        }
        after.destroy();
    }
});
