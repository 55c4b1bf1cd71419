// The same random commands to Weir and to redis-server: the same replies, to the byte, but for what
// differences.mjs lists.

import test from 'node:test';
import { Generator } from './lib/generator.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { QUICK, redis, smallMemory, weir } from './lib/server.mjs';
import { Twin } from './lib/twin.mjs';

const STEPS = QUICK ? 800 : 5000;
const STEPS_BETWEEN_CHECKS = 500;

async function twinOf(t, args) {
    const seed = seedOfRun(t);
    const twin = new Twin(await weir(t, { args }), await redis(t), seed);
    await twin.connect();
    t.after(() => twin.destroy());
    return { twin, random: new Random(seed) };
}

async function step(twin, random, generator) {
    const args = generator.next();
    const reply = await twin.run(random.below(twin.pairs.length), args);
    if (/^xadd$/i.test(args[0]) && typeof reply === 'string') generator.learn(args[1], reply);
}

test('random commands get the replies that Redis gives', async (t) => {
    const { twin, random } = await twinOf(t, ['--appendfsync', 'no']);
    const generator = new Generator(random);
    for (let i = 1; i <= STEPS; i++) {
        await step(twin, random, generator);
        if (i % STEPS_BETWEEN_CHECKS === 0) await twin.compareAll();
    }
});

test('folds, cold reads and restarts change nothing that is seen', async (t) => {
    const { twin, random } = await twinOf(t, ['--appendfsync', 'no', ...smallMemory('1mb')]);
    const generator = new Generator(random, { valueBytesMax: 60_000 });
    let untilRestart = random.between(100, 400);
    for (let i = 1; i <= STEPS; i++) {
        await step(twin, random, generator);
        if (--untilRestart > 0) continue;
        await twin.restart(random.pick(['SIGTERM', 'SIGKILL', 'SIGKILL']));
        await twin.compareAll();
        untilRestart = random.between(100, 800);
    }
    await twin.compareAll();
});

test('many keys come and go, are listed and survive restarts', async (t) => {
    const { twin, random } = await twinOf(t, ['--appendfsync', 'no', ...smallMemory('1mb')]);
    const keys = Array.from({ length: 300 }, (_, i) => `key:{${i % 7}}:${i}`);
    const generator = new Generator(random, { keys: ['key:{0}:0', 'key:{1}:1', 'a', ...keys] });
    generator.key = () => random.pick(generator.keys);
    for (let i = 1; i <= STEPS / 2; i++) {
        await step(twin, random, generator);
        if (i % 800 === 0) await twin.restart(random.pick(['SIGTERM', 'SIGKILL']));
    }
    await twin.compareAll();
});
