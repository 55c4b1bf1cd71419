// XREADGROUP BLOCK: one entry wakes one reader of each group, in the order in which they came; who
// went away takes nothing along; a key or group that goes is told.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { delay } from './lib/connection.mjs';
import { ReplyError } from './lib/resp.mjs';
import { ONLY_WEIR, suiteScope, weir } from './lib/server.mjs';
import { blockedClients, untilBlocked } from './lib/waiting.mjs';

const scope = suiteScope();
let server;
let writer;
let keys = 0;

before(async () => {
    server = await weir(scope);
    writer = await server.connect();
    scope.after(() => writer.destroy());
});

async function open(t) {
    const connection = await server.connect({ protocol: 3 });
    t.after(() => connection.destroy());
    return connection;
}

async function newFeed(...groups) {
    const key = `jobs:${++keys}`;
    for (const group of groups) await writer.ok('XGROUP', 'CREATE', key, group, '$', 'MKSTREAM');
    return key;
}

// A reader that has come to wait: its reply, later.
async function wait(t, group, name, key, options = {}) {
    const connection = await open(t);
    const count = await blockedClients(writer);
    const claim = options.claim ? ['CLAIM', String(options.claim)] : [];
    const reply = connection.call('XREADGROUP', 'GROUP', group, name, 'COUNT',
        String(options.count ?? 10), 'BLOCK', String(options.ms ?? 0), ...claim, 'STREAMS', key, '>');
    reply.catch(() => {});
    await untilBlocked(writer, count + 1);
    return { connection, reply, name };
}

const idsOf = (reply, key) => reply.get(key).map(([id]) => id);

test('one entry goes to the reader who has waited longest, of each group', async (t) => {
    const key = await newFeed('g', 'h');
    const g = [await wait(t, 'g', 'a', key), await wait(t, 'g', 'b', key)];
    const h = [await wait(t, 'h', 'a', key), await wait(t, 'h', 'b', key)];
    const first = await writer.ok('XADD', key, '*', 'n', '1');
    assert.deepEqual(idsOf(await g[0].reply, key), [first]);
    assert.deepEqual(idsOf(await h[0].reply, key), [first]);
    await untilBlocked(writer, 2);
    const second = await writer.ok('XADD', key, '*', 'n', '2');
    assert.deepEqual(idsOf(await g[1].reply, key), [second]);
    assert.deepEqual(idsOf(await h[1].reply, key), [second]);
});

test('a reader that left entries behind wakes the next one', async (t) => {
    const key = await newFeed('g');
    const readers = [];
    for (const name of ['a', 'b', 'c']) {
        readers.push(await wait(t, 'g', name, key, { count: 1 }));
    }
    const ids = await writer.pipeline([1, 2, 3].map((n) => ['XADD', key, '*', 'n', String(n)]));
    for (let i = 0; i < 3; i++) assert.deepEqual(idsOf(await readers[i].reply, key), [ids[i]]);
    await writer.ok('XGROUP', 'SETID', key, 'g', '$');
    const more = [await wait(t, 'g', 'd', key, { count: 1 }),
        await wait(t, 'g', 'e', key, { count: 1 })];
    await writer.ok('XGROUP', 'SETID', key, 'g', '0');
    assert.deepEqual(idsOf(await more[0].reply, key), [ids[0]]);
    assert.deepEqual(idsOf(await more[1].reply, key), [ids[1]]);
});

// Before what they claim is idle for a minute.
const IN_TIME = { ...ONLY_WEIR, timeout: 40_000 };

test('a reader whose claims are enough leaves new entries to the next one', IN_TIME, async (t) => {
    const key = await newFeed('g');
    const old = await writer.ok('XADD', key, '*', 'n', '1');
    await writer.ok('XREADGROUP', 'GROUP', 'g', 'owner', 'STREAMS', key, '>');
    const claims = await wait(t, 'g', 'claims', key, { count: 1, claim: 60_000 });
    const next = await wait(t, 'g', 'next', key, { count: 1 });
    await writer.ok('MULTI');
    await writer.ok('XCLAIM', key, 'g', 'owner', '0', old, 'IDLE', '90000', 'JUSTID');
    await writer.ok('XADD', key, '*', 'n', '2');
    const [, added] = await writer.ok('EXEC');
    assert.deepEqual(idsOf(await claims.reply, key), [old]);
    assert.deepEqual(idsOf(await next.reply, key), [added]);
});

// An entry that is pending, and a reader that would claim it in a minute; another one waits before.
async function sleepingClaimer(t) {
    const key = await newFeed('g');
    const id = await writer.ok('XADD', key, '*', 'n', '1');
    await writer.ok('XREADGROUP', 'GROUP', 'g', 'owner', 'STREAMS', key, '>');
    await wait(t, 'g', 'first', key);
    const claims = await wait(t, 'g', 'claims', key, { claim: 60_000 });
    await delay(20); // it has looked at what is pending, and sleeps
    return { key, id, claims };
}

test('entries that are said to be idle wake whoever claims', IN_TIME, async (t) => {
    const { key, id, claims } = await sleepingClaimer(t);
    await writer.ok('XCLAIM', key, 'g', 'owner', '0', id, 'IDLE', '90000', 'JUSTID');
    assert.deepEqual(idsOf(await claims.reply, key), [id]);
});

test('entries that are given back wake whoever claims, wherever in the line', IN_TIME, async (t) => {
    const { key, id, claims } = await sleepingClaimer(t);
    assert.equal(await writer.ok('XNACK', key, 'g', 'FAIL', 'IDS', '1', id), 1);
    assert.deepEqual(idsOf(await claims.reply, key), [id]);
});

test('what is delivered while a reader with CLAIM waits is claimed in time', IN_TIME, async (t) => {
    const key = await newFeed('g');
    const owner = await wait(t, 'g', 'owner', key);
    const claims = await wait(t, 'g', 'claims', key, { claim: 150 });
    const id = await writer.ok('XADD', key, '*', 'n', '1');
    assert.deepEqual(idsOf(await owner.reply, key), [id]);
    assert.deepEqual(idsOf(await claims.reply, key), [id]);
});

test('who closed, timed out or was unblocked takes nothing along', async (t) => {
    const key = await newFeed('g');
    const closed = await wait(t, 'g', 'closed', key);
    const late = await wait(t, 'g', 'late', key, { ms: 1000 });
    const unblocked = await wait(t, 'g', 'unblocked', key);
    const last = await wait(t, 'g', 'last', key);
    closed.connection.destroy();
    assert.equal(await late.reply, null);
    const list = await writer.ok('CLIENT', 'LIST');
    const blocked = list.split('\n').filter((line) => /cmd=xreadgroup/.test(line))
        .map((line) => /id=(\d+)/.exec(line)[1]);
    await writer.ok('CLIENT', 'UNBLOCK', blocked[blocked.length - 2], 'ERROR');
    const error = await unblocked.reply;
    assert.ok(error instanceof ReplyError);
    assert.match(error.message, /^UNBLOCKED /);
    await untilBlocked(writer, 1);
    const id = await writer.ok('XADD', key, '*', 'n', '1');
    assert.deepEqual(idsOf(await last.reply, key), [id]);
    const pending = await writer.ok('XPENDING', key, 'g', '-', '+', '10');
    assert.deepEqual(pending.map(([own, name]) => [own, name]), [[id, 'last']]);
});

test('all readers of a group that is destroyed, or whose key goes, are told', ONLY_WEIR, async (t) => {
    const message = (key) => `NOGROUP No such key '${key}' or consumer group 'g' in XREADGROUP ` +
        'with GROUP option';
    for (const end of [(key) => ['XGROUP', 'DESTROY', key, 'g'], (key) => ['DEL', key],
        (key) => ['RENAME', key, `${key}:other`], () => ['FLUSHDB']]) {
        const key = await newFeed('g', 'h');
        const readers = [await wait(t, 'g', 'a', key), await wait(t, 'g', 'b', key)];
        await writer.ok(...end(key));
        for (const { reply } of readers) assert.equal((await reply).message, message(key));
    }
});

test('what is pending is read at once, whatever BLOCK says', async (t) => {
    const key = await newFeed('g');
    const connection = await open(t);
    const reply = await connection.ok('XREADGROUP', 'GROUP', 'g', 'a', 'BLOCK', '0', 'STREAMS', key,
        '0');
    assert.deepEqual(reply.get(key), []);
});

test('an entry for several keys wakes once', async (t) => {
    const [one, two] = [await newFeed('g'), await newFeed('g')];
    const connection = await open(t);
    const reply = connection.call('XREADGROUP', 'GROUP', 'g', 'a', 'BLOCK', '0', 'STREAMS', one, two,
        '>', '>');
    await untilBlocked(writer, 1);
    const next = await wait(t, 'g', 'b', two);
    const id = await writer.ok('XADD', one, '*', 'n', '1');
    assert.deepEqual([...(await reply).keys()], [one]);
    const other = await writer.ok('XADD', two, '*', 'n', '1');
    assert.deepEqual(idsOf(await next.reply, two), [other]);
    assert.ok(id);
});
