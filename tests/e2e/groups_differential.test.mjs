// The same random commands on consumer groups to Weir and to redis-server: the same replies, but for
// what differences.mjs lists.

import test from 'node:test';
import { GroupGenerator } from './lib/group_generator.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { QUICK, redis, smallMemory, weir } from './lib/server.mjs';
import { Twin } from './lib/twin.mjs';

const STEPS = QUICK ? 1000 : 4000;

async function run(t, args, options) {
    const seed = seedOfRun(t);
    const random = new Random(seed);
    const twin = new Twin(await weir(t, { args }), await redis(t), seed);
    await twin.connect();
    t.after(() => twin.destroy());
    const generator = new GroupGenerator(random, options);
    let untilRestart = random.between(100, 400);
    for (let i = 1; i <= STEPS; i++) {
        const args = generator.next();
        const reply = await twin.run(random.below(twin.pairs.length), args);
        if (/^xadd$/i.test(args[0]) && typeof reply === 'string') generator.learn(args[1], reply);
        if (--untilRestart > 0) continue;
        if (options.restarts) await twin.restart(random.pick(['SIGTERM', 'SIGKILL', 'SIGKILL']));
        await twin.compareAll();
        untilRestart = random.between(100, 500);
    }
    await twin.compareAll();
}

test('random commands on groups get the replies that Redis gives', (t) =>
    run(t, ['--appendfsync', 'no'], {}));

test('folds, cold reads and restarts change nothing that is seen of groups', (t) =>
    run(t, ['--appendfsync', 'no', ...smallMemory('1mb')], { restarts: true }));
