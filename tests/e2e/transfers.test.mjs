// Several clients move money between accounts in transactions, and the server is killed: nobody ever
// sees half of a transfer, neither while it serves nor after kill -9.
//
// An account is a string and a field of a hash, which both tell its balance. Each transfer also
// counts in its client's counter, adds an entry to a feed, and renames the client's token: after a
// kill all of these must tell of the same transfers.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ClosedError, delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ReplyError, asMap } from './lib/resp.mjs';
import { ONLY_WEIR, QUICK, smallMemory, weir } from './lib/server.mjs';

const KILLS = QUICK ? 3 : 8;
const CLIENTS = 4;
const RUN_MS_MAX = QUICK ? 800 : 400;
const ACCOUNTS = Array.from({ length: 6 }, (_, i) => `account:{${i % 3}}:${i}`);
const START_BALANCE = 1000;
const TOTAL = ACCOUNTS.length * START_BALANCE;

const sumOf = (balances) => balances.reduce((sum, balance) => sum + Number(balance), 0);

class Client {
    constructor(index, random) {
        this.index = index;
        this.random = random;
        this.acknowledged = 0;  // transfers
        this.conflicts = 0;
    }

    // What every transfer does beside changing the two balances.
    traces(from, to, amount) {
        const number = this.acknowledged;
        return [['HINCRBY', 'mirror', from, String(-amount)],
            ['HINCRBY', 'mirror', to, String(amount)],
            ['INCR', `count:${this.index}`],
            ['RENAME', `token:${this.index}:${number % 2}`, `token:${this.index}:${(number + 1) % 2}`],
            ['SET', `padding:${this.index}`, 'x'.repeat(this.random.below(6000)), 'EX', '1000'],
            ['XADD', 'transfers', '*', 'client', String(this.index), 'from', from, 'to', to,
                'amount', String(amount)]];
    }

    // False: somebody else was faster.
    async watched(connection, from, to, amount) {
        await connection.ok('WATCH', from, to);
        const [had, has] = (await connection.ok('MGET', from, to)).map(Number);
        const replies = await connection.pipeline([['MULTI'],
            ['MSET', from, String(had - amount), to, String(has + amount)],
            ...this.traces(from, to, amount), ['EXEC']]);
        return replies.at(-1);
    }

    async counted(connection, from, to, amount) {
        const replies = await connection.pipeline([['MULTI'], ['DECRBY', from, String(amount)],
            ['INCRBY', to, String(amount)], ...this.traces(from, to, amount), ['EXEC']]);
        return replies.at(-1);
    }

    // Refused as a whole: a command of it cannot be queued.
    async refused(connection, from) {
        const replies = await connection.pipeline(
            [['MULTI'], ['DECRBY', from, '1'], ['INCRBY', from], ['EXEC']]);
        assert.match(replies.at(-1).message, /^EXECABORT/);
    }

    async step(connection) {
        const from = this.random.pick(ACCOUNTS);
        const to = this.random.pick(ACCOUNTS.filter((account) => account !== from));
        const amount = this.random.between(1, 50);
        if (this.random.chance(0.05)) return this.refused(connection, from);
        const done = this.random.chance(0.5)
            ? await this.watched(connection, from, to, amount)
            : await this.counted(connection, from, to, amount);
        if (done === null) {
            this.conflicts++;
            return undefined;
        }
        assert.ok(!done.some((reply) => reply instanceof ReplyError), JSON.stringify(done));
        this.acknowledged++;
        if (this.random.chance(0.2)) await this.look(connection);
        return undefined;
    }

    // While others write: one command, and one transaction of several.
    async look(connection) {
        assert.equal(sumOf(await connection.ok('MGET', ...ACCOUNTS)), TOTAL);
        const [balances, mirror] = (await connection.pipeline([['MULTI'], ['MGET', ...ACCOUNTS],
            ['HMGET', 'mirror', ...ACCOUNTS], ['EXEC']])).at(-1);
        assert.deepEqual(mirror, balances);
        assert.equal(sumOf(balances), TOTAL);
    }

    async run(connection) {
        try {
            for (;;) await this.step(connection);
        } catch (error) {
            if (!(error instanceof ClosedError)) throw error;
        } finally {
            connection.destroy();
        }
    }

    // The transfer that was under way may have happened, or not.
    async verify(connection) {
        const count = Number(await connection.ok('GET', `count:${this.index}`));
        assert.ok([0, 1].includes(count - this.acknowledged),
            `${count} transfers of client ${this.index}, ${this.acknowledged} acknowledged`);
        assert.deepEqual(await connection.pipeline(
            [0, 1].map((name) => ['EXISTS', `token:${this.index}:${name}`])),
            count % 2 === 0 ? [1, 0] : [0, 1]);
        this.acknowledged = count;
        return count;
    }
}

// The balances by what the feed tells.
async function replay(connection) {
    const balances = new Map(ACCOUNTS.map((account) => [account, START_BALANCE]));
    const entries = await connection.ok('XRANGE', 'transfers', '-', '+');
    for (const [, fields] of entries) {
        const { from, to, amount } = Object.fromEntries(asMap(fields));
        balances.set(from, balances.get(from) - Number(amount));
        balances.set(to, balances.get(to) + Number(amount));
    }
    return { count: entries.length, balances: [...balances.values()].map(String) };
}

async function verify(server, clients) {
    const connection = await server.connect();
    const balances = await connection.ok('MGET', ...ACCOUNTS);
    assert.equal(sumOf(balances), TOTAL, `balances ${balances}`);
    assert.deepEqual(await connection.ok('HMGET', 'mirror', ...ACCOUNTS), balances);
    const told = await replay(connection);
    assert.deepEqual(told.balances, balances);
    let count = 0;
    for (const client of clients) count += await client.verify(connection);
    assert.equal(told.count, count);
    connection.destroy();
}

async function open(server) {
    const connection = await server.connect();
    const start = ACCOUNTS.flatMap((account) => [account, String(START_BALANCE)]);
    await connection.ok('MSET', ...start);
    await connection.ok('HSET', 'mirror', ...start);
    for (let i = 0; i < CLIENTS; i++) {
        await connection.ok('MSET', `token:${i}:0`, '', `count:${i}`, '0');
    }
    connection.destroy();
}

async function transferAndKill(t, args) {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, { args: [...args, ...smallMemory('1mb')] });
    const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(i, random));
    await open(server);
    for (let kill = 1; kill <= KILLS; kill++) {
        const connections = await Promise.all(clients.map(() => server.connect()));
        const running = Promise.all(clients.map((client, i) => client.run(connections[i])));
        running.catch(() => {});
        await delay(random.between(1, RUN_MS_MAX));
        await server.stop('SIGKILL');
        try {
            await running;
            await server.start();
            await verify(server, clients);
        } catch (error) {
            error.message += `\nWEIR_SEED=${random.seed} kill ${kill}\n${server.describe()}`;
            throw error;
        }
    }
    t.diagnostic(`${clients.reduce((sum, client) => sum + client.acknowledged, 0)} transfers, ` +
        `${clients.reduce((sum, client) => sum + client.conflicts, 0)} conflicts`);
}

test('appendfsync always: no transfer is ever half done', ONLY_WEIR, (t) =>
    transferAndKill(t, ['--appendfsync', 'always']));

test('appendfsync no: no transfer is ever half done', ONLY_WEIR, (t) =>
    transferAndKill(t, ['--appendfsync', 'no']));
