// kill -9 and consumer groups: an entry is not delivered yet, or pending at exactly one consumer, or
// acknowledged as told; what was delivered stays so, and delivery counts never go back.
//
// Writers append; consumers read, acknowledge and claim from each other, until the server is killed.
// Then what the server says is held against what each client was told.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ClosedError, delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { QUICK, smallMemory, weir } from './lib/server.mjs';

const KILLS = QUICK ? 4 : 10;
const CONSUMERS = ['c1', 'c2', 'c3'];
const WORK_MS_MAX = QUICK ? 800 : 400;
const GROUP = ['jobs', 'g'];

// What clients were told, and what may have happened beside it.
class Ledger {
    constructor() {
        this.added = new Set();
        this.delivered = new Map();  // id -> greatest count that was told, or is implied
        this.fresh = new Set();      // delivered as new
        this.acknowledged = new Set();
        this.mayBeAcknowledged = new Set();
    }

    tell(id, count) {
        this.delivered.set(id, Math.max(count, this.delivered.get(id) ?? 0));
    }
}

async function untilClosed(work) {
    try {
        for (;;) await work();
    } catch (error) {
        if (!(error instanceof ClosedError)) throw error;
    }
}

function writer(connection, ledger, random) {
    return untilClosed(async () => {
        const commands = Array.from({ length: random.between(1, 40) },
            () => ['XADD', 'jobs', '*', 'v', 'x'.repeat(random.below(300))]);
        await connection.pipeline(commands, (id) => ledger.added.add(id));
    });
}

async function acknowledge(connection, ledger, ids) {
    for (const id of ids) ledger.mayBeAcknowledged.add(id);
    await connection.ok('XACK', ...GROUP, ...ids);
    for (const id of ids) ledger.acknowledged.add(id);
}

function consumer(connection, name, ledger, random) {
    return untilClosed(async () => {
        let entries;
        if (random.chance(0.2)) {
            const reply = await connection.ok('XAUTOCLAIM', ...GROUP, name, '0', '0', 'COUNT', '20');
            entries = reply[1];
            for (const [id] of entries) ledger.tell(id, 2);
        } else {
            const reply = await connection.ok('XREADGROUP', 'GROUP', 'g', name, 'COUNT',
                String(random.between(1, 60)), 'BLOCK', '20', 'STREAMS', 'jobs', '>');
            entries = reply === null ? [] : reply.get('jobs');
            // A claim of the same may have been heard of before.
            for (const [id] of entries) {
                assert.ok(!ledger.fresh.has(id), `${id} is delivered as new twice`);
                ledger.fresh.add(id);
                ledger.tell(id, 1);
            }
        }
        const done = entries.map(([id]) => id).filter(() => random.chance(0.8));
        if (done.length) await acknowledge(connection, ledger, done);
    });
}

async function work(server, ledger, random) {
    const open = () => server.connect({ protocol: 3 });
    const running = [writer(await open(), ledger, random), writer(await open(), ledger, random)];
    for (const name of CONSUMERS) running.push(consumer(await open(), name, ledger, random));
    const done = Promise.all(running);
    done.catch(() => {});
    await delay(random.between(1, WORK_MS_MAX));
    await server.stop(random.chance(0.15) ? 'SIGTERM' : 'SIGKILL');
    await done;
}

// Everything that is pending: id -> [consumer, deliveries].
async function readPending(connection) {
    const pending = new Map();
    for (let from = '-'; ;) {
        const page = await connection.ok('XPENDING', ...GROUP, from, '+', '1000');
        for (const [id, name, , deliveries] of page) {
            assert.ok(!pending.has(id), `${id} is pending twice`);
            pending.set(id, [name, deliveries]);
        }
        if (page.length < 1000) return pending;
        from = `(${page.at(-1)[0]}`;
    }
}

async function verify(server, ledger) {
    const connection = await server.connect({ protocol: 3 });
    const pending = await readPending(connection);
    const [group] = await connection.ok('XINFO', 'GROUPS', 'jobs');
    const lastId = group.get('last-delivered-id');
    const entries = new Set((await connection.ok('XRANGE', 'jobs', '-', '+')).map(([id]) => id));
    for (const id of ledger.added) assert.ok(entries.has(id), `${id} is lost`);
    for (const [id, count] of ledger.delivered) {
        assert.ok(entries.has(id), `${id} was delivered and is no entry`);
        if (ledger.acknowledged.has(id)) {
            assert.ok(!pending.has(id), `${id} was acknowledged and is pending`);
        } else if (!ledger.mayBeAcknowledged.has(id)) {
            assert.ok(pending.has(id), `${id} was delivered and is not pending`);
            assert.ok(pending.get(id)[1] >= count, `${id} was delivered ${count} times`);
        }
    }
    const [count, , , consumers] = await connection.ok('XPENDING', ...GROUP);
    assert.equal(count, pending.size);
    for (const [name, text] of consumers ?? []) {
        const own = [...pending.values()].filter(([owner]) => owner === name).length;
        assert.equal(Number(text), own, `pending at ${name}`);
    }
    // Nothing is skipped: what is behind the last delivered entry comes, and nothing else.
    const order = (id) => id.split('-').map(BigInt);
    const [lastMs, lastSeq] = order(lastId);
    for (const id of entries) {
        const [ms, seq] = order(id);
        const passed = ms < lastMs || (ms === lastMs && seq <= lastSeq);
        if (!passed) assert.ok(!ledger.delivered.has(id), `${id} would be delivered again`);
        else assert.ok(pending.has(id) || ledger.mayBeAcknowledged.has(id), `${id} was skipped`);
        if (passed && pending.has(id)) ledger.tell(id, pending.get(id)[1]);
    }
    connection.destroy();
}

async function killAgainAndAgain(t, args) {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, { args });
    const ledger = new Ledger();
    const connection = await server.connect();
    await connection.ok('XGROUP', 'CREATE', ...GROUP, '0', 'MKSTREAM');
    connection.destroy();
    for (let kill = 1; kill <= KILLS; kill++) {
        await work(server, ledger, random);
        await server.start();
        try {
            await verify(server, ledger);
        } catch (error) {
            error.message += `\nWEIR_SEED=${random.seed} kill ${kill}\n${server.describe()}`;
            throw error;
        }
    }
    t.diagnostic(`${KILLS} kills, ${ledger.added.size} entries, ` +
        `${ledger.acknowledged.size} acknowledged`);
}

test('appendfsync always, folding all the time: groups survive kills', (t) =>
    killAgainAndAgain(t, ['--appendfsync', 'always', ...smallMemory('1mb')]));

test('appendfsync no: groups survive kills', (t) =>
    killAgainAndAgain(t, ['--appendfsync', 'no', ...smallMemory('4mb')]));
