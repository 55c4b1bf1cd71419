// Groups of real consumers: workers over both client libraries crash in the middle of what they
// do, others claim what they left, and in the end each group has handled every entry.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { LIBRARIES } from './lib/clients.mjs';
import { delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { asMap } from './lib/resp.mjs';
import { ONLY_WEIR, QUICK, redis, smallMemory, weir } from './lib/server.mjs';
import { Ledger, Producer, Worker } from './lib/workers.mjs';

const ENTRIES = QUICK ? 150 : 400;      // of each producer
const MIN_IDLE_MS = QUICK ? 400 : 60;
const END_MS_MAX = QUICK ? 60_000 : 20_000;
const KILLS = QUICK ? 1 : 2;
const KILL_AFTER_MS_MAX = 300;

const OPENERS = Object.values(LIBRARIES);
const FOLDING = smallMemory('1mb');
const SERVERS = {
    Weir: (t) => weir(t, { args: FOLDING }),
    'redis-server': (t) => redis(t),
};

class Factory {
    constructor(t, server, { keys, groups }) {
        this.random = new Random(seedOfRun(t));
        this.server = server;
        this.keys = keys;
        this.ledgers = groups.map((group) => new Ledger(group));
        this.producers = OPENERS.map((_, i) => new Producer(`producer ${i}`, keys, ENTRIES));
        this.workers = this.ledgers.flatMap((ledger) => OPENERS.map((open, i) => new Worker(
            `worker ${i}`, {
                open: () => open(server.port), keys, ledger, random: this.random,
                minIdle: MIN_IDLE_MS, crashes: 0.05,
            })));
    }

    async createGroups() {
        const connection = await this.server.connect();
        for (const { group } of this.ledgers) {
            for (const key of this.keys) {
                await connection.ok('XGROUP', 'CREATE', key, group, '$', 'MKSTREAM');
            }
        }
        connection.destroy();
    }

    // Until all is added, delivered and acknowledged; `disturb` goes on beside it.
    async run(disturb = async () => {}) {
        await this.createGroups();
        const working = Promise.all(this.workers.map((worker) => worker.run()));
        const ending = this.untilDone(disturb).finally(() => {
            for (const worker of this.workers) worker.isOver = true;
        });
        await Promise.all([working, ending]);
        await this.check();
    }

    async untilDone(disturb) {
        await Promise.all([disturb(), ...this.producers.map(async (producer, i) =>
            producer.run(await OPENERS[i](this.server.port)))]);
        const until = Date.now() + END_MS_MAX;
        const connection = await this.server.connect();
        while (!(await this.isDone(connection))) {
            assert.ok(Date.now() < until, `never done\n${await this.describe(connection)}`);
            await delay(20);
        }
        connection.destroy();
    }

    async isDone(connection) {
        for (const key of this.keys) {
            for (const group of await groupsOf(connection, key)) {
                if (group.get('pending') !== 0 || group.get('lag') !== 0) return false;
            }
        }
        return true;
    }

    async describe(connection) {
        const lines = [`WEIR_SEED=${this.random.seed}`];
        for (const key of this.keys) {
            for (const group of await groupsOf(connection, key)) {
                lines.push(`${key}: ${JSON.stringify([...group])}`);
            }
        }
        return lines.join('\n');
    }

    // What the server tells in the end, beside what producers and workers know.
    async check() {
        const connection = await this.server.connect({ protocol: 3 });
        const entries = new Map();
        for (const key of this.keys) {
            const found = await connection.ok('XRANGE', key, '-', '+');
            assert.equal(await connection.ok('XLEN', key), found.length);
            for (const [id, fields] of found) entries.set(`${key} ${id}`, fields);
            await this.checkGroups(connection, key, found);
        }
        for (const { added } of this.producers) {
            for (const [entry, number] of added) {
                assert.equal(entries.get(entry)?.[3], String(number), `${entry} was added`);
            }
        }
        for (const ledger of this.ledgers) checkLedger(ledger, entries);
        connection.destroy();
    }

    async checkGroups(connection, key, entries) {
        const groups = await groupsOf(connection, key);
        assert.deepEqual(groups.map((group) => group.get('name')).sort(),
            this.ledgers.map(({ group }) => group).sort());
        for (const group of groups) {
            assert.equal(group.get('pending'), 0);
            assert.equal(group.get('lag'), 0);
            assert.equal(group.get('entries-read'), entries.length);
            assert.equal(group.get('last-delivered-id'), entries.at(-1)[0]);
            const name = group.get('name');
            assert.deepEqual(await connection.ok('XPENDING', key, name), [0, null, null, null]);
            await this.checkConsumers(connection, key, name, group.get('consumers'));
        }
    }

    // Each name that somebody read under, also of those who are gone.
    async checkConsumers(connection, key, group, count) {
        const names = new Set(this.workers.filter(({ ledger }) => ledger.group === group)
            .flatMap((worker) => worker.names));
        const consumers = (await connection.ok('XINFO', 'CONSUMERS', key, group)).map(asMap);
        assert.equal(consumers.length, count);
        for (const consumer of consumers) {
            assert.ok(names.has(consumer.get('name')), `who is ${consumer.get('name')}?`);
            assert.equal(consumer.get('pending'), 0);
            assert.equal(await connection.ok('XGROUP', 'DELCONSUMER', key, group,
                consumer.get('name')), 0);
        }
    }
}

async function groupsOf(connection, key) {
    return (await connection.ok('XINFO', 'GROUPS', key)).map(asMap);
}

function checkLedger(ledger, entries) {
    for (const [entry, fields] of entries) {
        assert.ok(ledger.handled.has(entry), `${entry} was never handled by ${ledger.group}`);
        assert.deepEqual(Object.entries(ledger.handled.get(entry)).flat(), fields);
    }
    assert.equal(ledger.handled.size, entries.size);
}

// Without a crash of the server, what each was told is all that happened.
function checkCounts(t, factory) {
    const added = factory.producers.reduce((sum, producer) => sum + producer.added.size, 0);
    assert.equal(added, ENTRIES * factory.producers.length);
    for (const { group, handled, acked, ackCount, again, crashes } of factory.ledgers) {
        assert.equal(handled.size, added);
        assert.equal(acked.size, added);
        assert.equal(ackCount, added);
        assert.ok(crashes > 0);
        t.diagnostic(`${group}: ${crashes} crashes, ${again} delivered again of ${added}`);
    }
}

for (const [name, start] of Object.entries(SERVERS)) {
    describe(`workers that crash, on ${name}`, () => {
        test('several groups handle all of one feed', async (t) => {
            const factory = new Factory(t, await start(t),
                { keys: ['orders'], groups: ['billing', 'shipping'] });
            await factory.run();
            checkCounts(t, factory);
        });

        test('a group handles all of two feeds that it reads at once', async (t) => {
            const factory = new Factory(t, await start(t),
                { keys: ['orders', 'returns'], groups: ['billing'] });
            await factory.run();
            checkCounts(t, factory);
        });
    });
}

describe('a server that is killed', ONLY_WEIR, () => {
    for (const [folds, args] of [['', []], [' while it folds', FOLDING]]) {
        test(`loses nothing that workers rely on${folds}`, async (t) => {
            const server = await weir(t, { args });
            const factory = new Factory(t, server,
                { keys: ['orders', 'returns'], groups: ['billing', 'shipping'] });
            await factory.run(async () => {
                for (let kill = 0; kill < KILLS; kill++) {
                    await delay(factory.random.between(20, KILL_AFTER_MS_MAX));
                    await server.restart('SIGKILL');
                }
            });
        });
    }
});
