// Strings, hashes and times of expiry in both stores: as in Redis, also after folds and restarts;
// and what only Weir has, range rules.

import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyGenerator } from './lib/key_generator.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { QUICK, redis, smallMemory, weir } from './lib/server.mjs';
import { Twin } from './lib/twin.mjs';

const STEPS = QUICK ? 1500 : 8000;
const STEPS_BETWEEN_CHECKS = 1000;

async function twinOf(t, args) {
    const seed = seedOfRun(t);
    const twin = new Twin(await weir(t, { args }), await redis(t), seed);
    await twin.connect();
    t.after(() => twin.destroy());
    return { twin, random: new Random(seed) };
}

test('random commands on keys of both stores get the replies that Redis gives', async (t) => {
    const { twin, random } = await twinOf(t, ['--appendfsync', 'no']);
    const generator = new KeyGenerator(random);
    for (let i = 1; i <= STEPS; i++) {
        await twin.run(random.below(twin.pairs.length), generator.next());
        if (i % STEPS_BETWEEN_CHECKS === 0) await twin.compareAll();
    }
});

test('durable keys survive folds, cold reads and restarts', async (t) => {
    const { twin, random } = await twinOf(t, ['--appendfsync', 'no', ...smallMemory('1mb')]);
    const keys = Array.from({ length: 60 }, (_, i) => `key:{${i % 7}}:${i}`);
    const generator = new KeyGenerator(random, { keys, valueBytesMax: 60_000 });
    for (let i = 1; i <= STEPS / 2; i++) {
        await twin.run(random.below(twin.pairs.length), generator.next());
        if (i % 800 === 0) await twin.restart(random.pick(['SIGTERM', 'SIGKILL']));
    }
    await twin.compareAll();
});
