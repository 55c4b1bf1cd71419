// Durable keys that expire while they lie on disk only: all of them go by themselves, no other does,
// through folds and kills.

import assert from 'node:assert/strict';
import test from 'node:test';
import { delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ONLY_WEIR, QUICK, smallMemory, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const KEYS = QUICK ? 5_000 : 30_000;
const EXPIRING = QUICK ? 2_000 : 8_000;
const KILLS = QUICK ? 3 : 8;
const BATCH = 1000;
const ARGS = ['--appendfsync', 'no', ...smallMemory('1mb')];

async function setMany(client, count, command) {
    for (let from = 0; from < count; from += BATCH) {
        const commands = Array.from({ length: Math.min(BATCH, count - from) },
            (_, i) => command(from + i));
        for (const reply of await client.pipeline(commands)) assert.equal(String(reply), 'OK');
    }
}

async function infoNumber(client, section, pattern) {
    return Number(pattern.exec(await client.ok('INFO', section))[1]);
}

test('cold keys are gone from DBSIZE when their time has come', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ARGS });
    const client = await server.connect({ protocol: 2 });
    await setMany(client, KEYS, (i) => ['SET', `stays:${i}`, 'v'.repeat(50)]);
    await setMany(client, 100, (i) => ['SET', `later:${i}`, 'v', 'EX', '5000']);
    await client.ok('SELECT', '3');
    await setMany(client, 10, (i) => ['SET', `other:${i}`, 'v', 'PX', '1000']);
    await client.ok('SELECT', '0');
    const due = Date.now() + 2000;
    await setMany(client, EXPIRING, (i) => ['SET', `goes:${i}`, 'v', 'PXAT', String(due + i % 7)]);
    await client.ok('SAVE');
    await until(async () => await client.ok('DBSIZE') === KEYS + 100);
    await until(async () => await infoNumber(client, 'stats', /expired_keys:(\d+)/) ===
        EXPIRING + 10);
    assert.ok(Date.now() >= due);
    const mean = await infoNumber(client, 'keyspace', /db0:keys=\d+,expires=100,avg_ttl=(\d+)/);
    assert.ok(mean > 3_000_000 && mean <= 5_000_100, `${mean}`);
    await client.ok('SAVE');
    await server.restart('SIGKILL');
    const after = await server.connect({ protocol: 2 });
    assert.equal(await after.ok('DBSIZE'), KEYS + 100);
    assert.equal(await after.ok('EXISTS', 'stays:0', 'later:0', 'goes:0'), 2);
    after.destroy();
    client.destroy();
});

test('feeds and hashes on disk expire with all that they have', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ARGS });
    let client = await server.connect({ protocol: 2 });
    for (let i = 0; i < 50; i++) {
        await client.ok('XADD', `feed:${i}`, '1-1', 'f', 'v'.repeat(500));
        await client.ok('XGROUP', 'CREATE', `feed:${i}`, 'g', '0');
        await client.ok('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', `feed:${i}`, '>');
        await client.ok('XADD', `feed:${i}`, 'DELAY', '100000', '*', 'f', 'v');
        await client.ok('HSET', `hash:${i}`, 'f', 'v');
        await client.ok('PEXPIRE', `feed:${i}`, '1200');
        await client.ok('PEXPIRE', `hash:${i}`, '1200');
    }
    await server.restart('SIGTERM');
    client.destroy();
    client = await server.connect({ protocol: 2 });
    await until(async () => await client.ok('DBSIZE') === 0);
    assert.equal(await client.ok('XADD', 'feed:1', '1-1', 'f', 'v'), '1-1');
    assert.equal((await client.ok('XRANGE', 'feed:1', '-', '+')).length, 1);
    assert.deepEqual(await client.ok('XINFO', 'GROUPS', 'feed:1'), []);
    client.destroy();
});

test('kills in between lose no key and leave none', async (t) => {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, { args: ARGS });
    const stays = new Set();
    for (let kill = 0; kill < KILLS; kill++) {
        const client = await server.connect({ protocol: 2 });
        await setMany(client, EXPIRING / 4, () => {
            const key = `key:${random.below(EXPIRING)}`;
            if (random.chance(0.2)) stays.add(key);
            else stays.delete(key);
            return stays.has(key)
                ? ['SET', key, 'v']
                : ['SET', key, 'v', 'PX', String(random.between(1, 1500))];
        });
        if (random.chance(0.5)) await client.ok('SAVE');
        await delay(random.below(500));
        client.destroy();
        await server.restart('SIGKILL');
    }
    const client = await server.connect({ protocol: 2 });
    await until(async () => await client.ok('DBSIZE') === stays.size);
    assert.deepEqual(new Set(await client.ok('KEYS', '*')), stays);
    assert.equal(await infoNumber(client, 'keyspace', /db0:keys=\d+,expires=(\d+),avg_ttl=0/), 0);
    client.destroy();
});
