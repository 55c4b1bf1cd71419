// Producers that add entries, and groups of workers that handle them and crash now and then, as in
// production. What the server said to each is kept in a ledger, which knows what may not happen.

import assert from 'node:assert/strict';
import { isReplyError } from './clients.mjs';
import { delay } from './connection.mjs';

const BURST = 25;
const BATCH_MAX = 20;
const BLOCK_MS = 40;
const CLAIM_COUNT = 50;
const TEXT = 'x'.repeat(800);   // so that some thousand entries are worth a fold

// What became of the entries of some feeds in one group. Ticks are moments on this side: what was
// asked for at a tick was not known to the server before it.
export class Ledger {
    constructor(group) {
        this.group = group;
        this.tick = 0;
        this.fresh = new Set();     // delivered as new
        this.handled = new Map();   // entry → fields
        this.acked = new Map();     // entry → the tick at which that was told
        this.ackCount = 0;
        this.again = 0;             // deliveries that were not the first
        this.crashes = 0;
    }

    now() {
        return ++this.tick;
    }

    // `entries` were asked for at tick `asked`, as new ones or others'.
    delivered(entries, asked, isNew) {
        for (const { key, id, fields } of entries) {
            const entry = `${key} ${id}`;
            if (isNew) {
                assert.ok(!this.fresh.has(entry), `${entry} was new twice to ${this.group}`);
                this.fresh.add(entry);
            }
            const acked = this.acked.get(entry);
            assert.ok(acked === undefined || acked > asked,
                `${entry} came again to ${this.group} after it was acknowledged`);
            if (this.handled.has(entry)) this.again++;
            this.handled.set(entry, fields);
        }
    }

    // `count` of them were pending until then.
    acknowledged(key, ids, count) {
        this.ackCount += count;
        for (const id of ids) this.acked.set(`${key} ${id}`, this.now());
    }
}

// Adds numbers to feeds in turn, each until the server has said that it has it. A number whose
// answer was lost with the connection may be there twice.
export class Producer {
    constructor(name, keys, count) {
        this.name = name;
        this.keys = keys;
        this.count = count;
        this.added = new Map();     // entry → number
    }

    async run(client) {
        for (let i = 0; i < this.count; i += BURST) {
            const numbers = Array.from({ length: Math.min(BURST, this.count - i) }, (_, j) => i + j);
            await Promise.all(numbers.map((number) => this.add(client, number)));
            await delay(1);
        }
        client.crash();
    }

    async add(client, number) {
        const key = this.keys[number % this.keys.length];
        for (;;) {
            try {
                const id = await client.add(key,
                    { by: this.name, number: String(number), text: TEXT });
                this.added.set(`${key} ${id}`, number);
                return;
            } catch (error) {
                if (isReplyError(error)) throw error;
                await delay(10);
            }
        }
    }
}

// Errors of the connection are a part of life.
function throwUnlessLost(error) {
    if (isReplyError(error) || error instanceof assert.AssertionError) throw error;
}

// A consumer of a group. It lives several lives: each ends in a crash, as this one's process would,
// or with the server's. Some come back under their name and handle what they had left, others
// under a new name, and leave it to those who claim.
export class Worker {
    constructor(name, { open, keys, ledger, random, minIdle, crashes }) {
        Object.assign(this, { name, open, keys, ledger, random, minIdle, crashes });
        this.names = [name];
        this.isOver = false;
    }

    async run() {
        while (!this.isOver) {
            const client = await this.open();
            try {
                await this.live(client);
            } catch (error) {
                throwUnlessLost(error);
            } finally {
                client.crash();
            }
            if (!this.isOver && this.random.chance(0.5)) {
                this.names.push(`${this.name}, life ${this.names.length + 1}`);
            }
        }
    }

    get consumer() {
        return this.names.at(-1);
    }

    async live(client) {
        await this.handleOwn(client);
        while (!this.isOver) {
            if (this.random.chance(this.crashes)) return this.crashWhileReading(client);
            const entries = await this.read(client, '>');
            if (this.random.chance(this.crashes)) return this.crashWhileHandling(client, entries);
            await this.ack(client, entries);
            if (!entries.length || this.random.chance(0.1)) await this.claimOthers(client);
        }
    }

    // Whether new entries or those that it has from an earlier life.
    async read(client, id, block = BLOCK_MS) {
        const asked = this.ledger.now();
        const entries = await client.readGroup(this.ledger.group, this.consumer, this.keys, id,
            { count: this.random.between(1, BATCH_MAX), block });
        this.ledger.delivered(entries, asked, id === '>');
        return entries;
    }

    async handleOwn(client) {
        for (;;) {
            const entries = await this.read(client, '0');
            if (!entries.length) return;
            await this.ack(client, entries);
        }
    }

    async ack(client, entries) {
        for (const key of this.keys) {
            const ids = entries.filter((entry) => entry.key === key).map(({ id }) => id);
            if (!ids.length) continue;
            const count = await client.ack(key, this.ledger.group, ids);
            this.ledger.acknowledged(key, ids, count);
        }
    }

    async claimOthers(client) {
        const claim = this.random.chance(0.5) ? this.autoClaim : this.claimPending;
        for (const key of this.keys) {
            const asked = this.ledger.now();
            const entries = await claim.call(this, client, key);
            this.ledger.delivered(entries, asked, false);
            await this.ack(client, entries);
        }
    }

    async autoClaim(client, key) {
        const claimed = [];
        let start = '0-0';
        do {
            const { next, entries } = await client.autoClaim(key, this.ledger.group, this.consumer,
                this.minIdle, start, CLAIM_COUNT);
            claimed.push(...entries);
            start = next;
        } while (start !== '0-0');
        return claimed;
    }

    async claimPending(client, key) {
        const ids = await client.idleIds(key, this.ledger.group, this.minIdle, CLAIM_COUNT);
        return ids.length
            ? client.claim(key, this.ledger.group, this.consumer, this.minIdle, ids) : [];
    }

    // What the server sends into this connection is lost.
    async crashWhileReading(client) {
        this.ledger.crashes++;
        const reading = this.read(client, '>', 1000).catch(throwUnlessLost);
        await delay(this.random.below(3));
        client.crash();
        await reading;
    }

    async crashWhileHandling(client, entries) {
        this.ledger.crashes++;
        await this.ack(client, entries.slice(0, this.random.below(entries.length + 1)));
        client.crash();
    }
}
