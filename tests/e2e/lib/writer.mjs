// One client of the kill test: writes random pipelines to feeds of its own and to the shared one,
// until its connection goes away, and knows what was acknowledged and what may have happened.

import assert from 'node:assert/strict';
import { ClosedError } from './connection.mjs';
import { Feeds, SHARED, idBefore } from './feeds.mjs';
import { ReplyError, asMap } from './resp.mjs';

const KEYS = 4;
const BATCH_MAX = 60;
const BATCHES_AHEAD_MAX = 3;
const TRANSACTION_MAX = 6;
const VALUE_BYTES_MAX = 900;
const TRIMMED_LENGTHS = [0, 1, 20, 100, 200];
const ENTRIES_MAX = 400;

export class Writer {
    constructor(name, random) {
        this.name = name;
        this.random = random;
        this.keys = Array.from({ length: KEYS }, (_, i) => `${name}:${i}`);
        this.acknowledged = new Feeds();
        this.predicted = new Feeds();  // when all that was sent happens
        this.pending = [];             // sent, not acknowledged
        this.shared = [];              // acknowledged entries of the shared feed
        this.counter = 0;
    }

    // Writes until the connection is closed.
    async run(connection) {
        const ahead = [];
        try {
            for (;;) {
                ahead.push(this.batch(connection));
                if (ahead.length >= BATCHES_AHEAD_MAX || this.random.chance(0.3)) {
                    await ahead.shift();
                }
            }
        } catch (error) {
            if (!(error instanceof ClosedError)) throw error;
            await Promise.allSettled(ahead);
        }
    }

    batch(connection) {
        const ops = Array.from({ length: this.random.between(1, BATCH_MAX) }, () => {
            const op = this.random.chance(0.1) ? this.transaction() : this.predict(this.op());
            this.pending.push(op);
            return op;
        });
        const done = connection.pipeline(ops.flatMap(commands), (reply) => this.onReply(reply));
        done.catch(() => {});
        return done;
    }

    predict(op) {
        this.predicted.apply(op);
        return op;
    }

    transaction() {
        const ops = Array.from({ length: this.random.between(1, TRANSACTION_MAX) },
            () => this.predict(this.op()));
        return { kind: 'multi', ops, replies: 0 };
    }

    // A transaction has replies to MULTI and to each command, and then all of EXEC's.
    onReply(reply) {
        const [op] = this.pending;
        if (op.kind === 'multi' && op.replies++ < op.ops.length + 1) {
            assert.ok(reply === 'OK' || reply === 'QUEUED', reply?.message);
            return;
        }
        this.pending.shift();
        if (op.kind === 'multi') op.ops.forEach((each, i) => this.acknowledge(each, reply[i]));
        else this.acknowledge(op, reply);
    }

    acknowledge(op, reply) {
        assert.ok(!(reply instanceof ReplyError), `${command(op).join(' ')}: ${reply?.message}`);
        if (op.kind === 'add' || op.kind === 'share') {
            if (op.id !== '*') assert.equal(reply, op.id);
            op.id = reply;
        }
        if (op.kind === 'share') this.shared.push({ id: reply, value: op.value });
        this.acknowledged.apply(op);
    }

    value() {
        return `${this.name}.${this.counter++}.${'v'.repeat(this.random.below(VALUE_BYTES_MAX))}`;
    }

    op() {
        const key = this.random.pick(this.keys);
        const feed = this.predicted.feeds.get(key);
        if (!feed) return this.add(key, undefined);
        if (feed.entries.length > ENTRIES_MAX) return this.trim(key);
        return this.random.weighted([
            [60, () => this.add(key, feed)],
            [25, () => this.share()],
            [8, () => this.remove(key, feed)],
            [4, () => this.trim(key)],
            [1, () => ({ kind: 'del', key })],
            [1, () => ({ kind: 'rename', key, to: this.otherKey(key) })],
            [1, () => ({ kind: 'copy', key, to: this.otherKey(key) })],
        ])();
    }

    share() {
        return { kind: 'share', key: SHARED, id: '*', value: `${this.name} ${this.counter++}` };
    }

    otherKey(key) {
        return this.random.pick(this.keys.filter((other) => other !== key));
    }

    // An id of our own is possible while no clock's id, that we may not know yet, is behind it.
    add(key, feed) {
        const last = feed ? feed.lastId : '0-0';
        const value = this.value();
        const own = last !== null && BigInt(last.split('-')[0]) < 1_000_000n;
        if (!own || this.random.chance(0.02)) return { kind: 'add', key, id: '*', value };
        const [ms, sequence] = last.split('-').map(Number);
        const id = this.random.chance(0.5)
            ? `${ms}-${sequence + 1}` : `${ms + this.random.between(1, 3)}-0`;
        return { kind: 'add', key, id, value };
    }

    remove(key, feed) {
        const known = feed.entries.filter((entry) => entry.id !== null);
        const id = known.length ? this.random.pick(known).id : '1-1';
        return { kind: 'xdel', key, id };
    }

    trim(key) {
        return { kind: 'trim', key, length: this.random.pick(TRIMMED_LENGTHS) };
    }

    // After a restart: what is there must be all that was acknowledged, and then some of the
    // pending ops, the first ones. `sharedSeen`: this writer's part of the shared feed, in order.
    async verify(connection, sharedSeen) {
        this.verifyShared(sharedSeen);
        const seen = await this.look(connection);
        const state = this.acknowledged;
        const pending = this.pending;
        for (let happened = 0; ; happened++) {
            if (state.shared === sharedSeen.length && state.matches(seen)) break;
            if (happened === pending.length) this.fail(seen, sharedSeen);
            state.apply(pending[happened]);
        }
        state.adopt(seen);
        this.shared = sharedSeen;
        this.predicted = state.clone();
        this.pending = [];
    }

    verifyShared(seen) {
        this.shared.forEach((entry, i) => assert.deepEqual(seen[i], entry,
            `entry ${i} of ${this.name} in the shared feed`));
        const tail = this.pending.flatMap((op) => op.ops ?? [op])
            .filter((op) => op.kind === 'share').map((op) => op.value);
        seen.slice(this.shared.length).forEach((entry, i) => assert.equal(entry.value, tail[i],
            `unacknowledged entry ${i} of ${this.name} in the shared feed`));
    }

    async look(connection) {
        const seen = new Map();
        for (const key of this.keys) {
            const info = await connection.call('XINFO', 'STREAM', key);
            if (info instanceof ReplyError) continue;
            const entries = await readAll(connection, key);
            const lastId = asMap(info).get('last-generated-id');
            assert.equal(asMap(info).get('length'), entries.length, `length of ${key}`);
            seen.set(key, { entries, lastId });
        }
        return seen;
    }

    fail(seen, sharedSeen) {
        const brief = (feeds) => [...feeds].map(([key, { entries, lastId }]) =>
            `  ${key}: ${entries.length} entries, last id ${lastId}, ` +
            `tail ${JSON.stringify(entries.slice(-4).map(briefEntry))}`).join('\n');
        assert.fail(`what is there is no prefix of what ${this.name} wrote\n` +
            `seen, ${sharedSeen.length} shared:\n${brief(seen)}\n` +
            `all ${this.acknowledged.shared} shared:\n${brief(this.acknowledged.feeds)}\n` +
            `pending: ${this.pending.map(({ kind, key }) => `${kind} ${key}`).join(', ')}`);
    }
}

function briefEntry({ id, value }) {
    return `${id} ${value.slice(0, 20)}`;
}

function commands(op) {
    return op.kind === 'multi' ? [['MULTI'], ...op.ops.map(command), ['EXEC']] : [command(op)];
}

function command(op) {
    switch (op.kind) {
    case 'add': case 'share': return ['XADD', op.key, op.id, 'v', op.value];
    case 'xdel': return ['XDEL', op.key, op.id];
    case 'trim': return ['XTRIM', op.key, 'MAXLEN', String(op.length)];
    case 'del': return ['DEL', op.key];
    case 'rename': return ['RENAME', op.key, op.to];
    case 'copy': return ['COPY', op.key, op.to, 'REPLACE'];
    default: throw new Error(op.kind);
    }
}

// A whole feed of one-field entries, in pages, its order checked.
export async function readAll(connection, key) {
    const entries = [];
    let from = '-';
    for (;;) {
        const page = await connection.ok('XRANGE', key, from, '+', 'COUNT', '5000');
        for (const [id, fields] of page) {
            const last = entries.at(-1);
            assert.ok(!last || idBefore(last.id, id), `order in ${key}: ${last?.id} then ${id}`);
            entries.push({ id, value: fields[1] });
        }
        if (page.length < 5000) return entries;
        from = `(${entries.at(-1).id}`;
    }
}
