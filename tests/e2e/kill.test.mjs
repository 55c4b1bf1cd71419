// kill -9 loses nothing that was acknowledged, doubles nothing, changes no order.
//
// Several writers pipeline random writes; the server is killed at a random moment, started again
// (and sometimes killed again while it starts), and compared with what each writer knows.

import assert from 'node:assert/strict';
import test from 'node:test';
import { delay } from './lib/connection.mjs';
import { SHARED } from './lib/feeds.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ONLY_WEIR, QUICK, smallMemory, weir } from './lib/server.mjs';
import { Writer, readAll } from './lib/writer.mjs';

const KILLS = QUICK ? 6 : 18;
const WRITERS = 4;
const WRITE_MS_MAX = QUICK ? 1500 : 400;
const START_MS_MAX = QUICK ? 400 : 80;

async function writeUntilEnd(server, writers, random) {
    const connections = await Promise.all(writers.map(() => server.connect({ protocol: 3 })));
    const written = Promise.all(writers.map((writer, i) => writer.run(connections[i])));
    written.catch(() => {});
    await delay(random.between(1, WRITE_MS_MAX));
    const signal = random.chance(0.15) ? 'SIGTERM' : 'SIGKILL';
    const how = await server.stop(signal);
    if (signal === 'SIGTERM') assert.equal(how.code, 0, how.output);
    await written;
}

async function killWhileStarting(server, random) {
    server.spawn();
    await delay(random.below(START_MS_MAX));
    await server.stop('SIGKILL');
}

async function verify(server, writers) {
    const connection = await server.connect({ protocol: 3 });
    const shared = await readAll(connection, SHARED);
    const own = new Map(writers.map(({ name }) => [name, []]));
    for (const entry of shared) own.get(entry.value.split(' ')[0]).push(entry);
    for (const writer of writers) await writer.verify(connection, own.get(writer.name));
    connection.destroy();
}

async function killAgainAndAgain(t, args) {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, { args });
    const writers = Array.from({ length: WRITERS }, (_, i) => new Writer(`w${i}`, random));
    for (let kill = 1; kill <= KILLS; kill++) {
        await writeUntilEnd(server, writers, random);
        if (random.chance(0.2)) await killWhileStarting(server, random);
        await server.start();
        try {
            await verify(server, writers);
        } catch (error) {
            error.message += `\nWEIR_SEED=${random.seed} kill ${kill}\n${server.describe()}`;
            throw error;
        }
    }
    const written = writers.reduce((sum, writer) => sum + writer.counter, 0);
    t.diagnostic(`${KILLS} kills, ${written} entries written`);
}

test('appendfsync always, folding all the time: kills lose nothing acknowledged', (t) =>
    killAgainAndAgain(t, ['--appendfsync', 'always', ...smallMemory('1mb')]));

test('appendfsync always, folds rare: kills lose nothing acknowledged', (t) =>
    killAgainAndAgain(t, ['--appendfsync', 'always', '--fold-bytes', '16mb']));

// Redis keeps writes to itself while a sync is slow, and may lose them; Weir promises more.
test('appendfsync everysec: kills lose nothing acknowledged', ONLY_WEIR, (t) =>
    killAgainAndAgain(t, ['--appendfsync', 'everysec', ...smallMemory('4mb')]));

test('appendfsync no: kills lose nothing acknowledged', (t) =>
    killAgainAndAgain(t, ['--appendfsync', 'no', ...smallMemory('1mb')]));
