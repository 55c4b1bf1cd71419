// Caches as applications have them: Django's, values with a time to live over both client
// libraries, and node-redis's client-side cache. In both of Weir's stores, and on redis-server.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LIBRARIES, NodeRedis } from './lib/clients.mjs';
import { delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ONLY_WEIR, Process, QUICK, redis, suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

// The one that Debian's packages are for.
const PYTHON = '/usr/bin/python3';
const DJANGO_CACHES = fileURLToPath(new URL('lib/django_caches.py', import.meta.url));

const SHORT_MS = QUICK ? 2000 : 400;
const WRITES = QUICK ? 100 : 400;

// What their keys begin with decides where Weir keeps them.
const CACHES = [
    ['Weir, in memory', weir, 'cache'],
    ['Weir, durable', weir, 'kept'],
    ['redis-server', redis, 'cache'],
];

async function open(t, opening) {
    const client = await opening;
    t.after(() => client.crash());
    return client;
}

function testValues(port, prefix) {
    test('Django and redis-py', async () => {
        const run = new Process(PYTHON, [DJANGO_CACHES, String(port()), prefix]);
        const { code, output } = await run.ended;
        assert.equal(code, 0, output);
    });

    for (const [library, openClient] of Object.entries(LIBRARIES)) {
        const keyOf = (name) => `${prefix}:${library}:${name}`;
        const client = (t) => open(t, openClient(port()));

        test(`${library}: are there for their time`, (t) => keepsTime(t, client, keyOf));
        test(`${library}: are loaded by one, for all`, (t) => loadsOnce(t, client, keyOf));
        test(`${library}: count within a window`, (t) => limits(t, client, keyOf));
        test(`${library}: come and go by the hundred`, (t) => carriesMany(t, client, keyOf));
        test(`${library}: hold sessions`, (t) => keepsSessions(t, client, keyOf));
    }
}

// Alone on its server: when a database is flushed, the library may keep what it asks for just
// then, and is not told of later changes.
function testNearCache(port, prefix) {
    const keyOf = (name) => `${prefix}:near:${name}`;
    const near = (t) => open(t, NodeRedis.open(port(), 3, { clientSideCache: {} }));
    const far = (t) => open(t, NodeRedis.open(port(), 3));

    test('asks once, and again when the key has changed',
        async (t) => seesChanges(await near(t), await far(t), keyOf('key')));
    test('sees hashes, lists of values and transactions change',
        async (t) => seesOthersChange(await near(t), await far(t), keyOf));
    test('sees keys go when their time is over',
        async (t) => seesExpiry(await near(t), keyOf('short')));
    test('is never older than it was, and in the end as new as the server', async (t) => {
        const readers = [await near(t), await near(t), await near(t)];
        await catchesUp(t, readers, await far(t), keyOf);
    });
}

// Mostly they wait for time to pass.
describe('caches', { concurrency: true }, () => {
    for (const [where, start, prefix] of CACHES) {
        describe(where, { concurrency: false }, () => {
            const scope = suiteScope();
            let server;

            before(async () => {
                server = await start(scope);
            });

            describe('values with a time to live', { concurrency: true },
                () => testValues(() => server.port, prefix));
            describe('node-redis with a client-side cache',
                () => testNearCache(() => server.port, prefix));
        });
    }
});

// All at once, so that no pause comes between what is sent.
async function keepsTime(t, openClient, keyOf) {
    const client = await openClient(t);
    const [short, kept, renewed] = ['short', 'kept', 'renewed'].map(keyOf);
    const since = Date.now();
    const replies = await Promise.all([
        ...[short, kept, renewed].map((key) => client.set(key, 'v', SHORT_MS)),
        client.get(short), client.command('PTTL', short), client.command('PERSIST', kept),
        client.command('GETEX', renewed, 'EX', '100'),
        client.command('SET', renewed, 'w', 'KEEPTTL'),
    ]);
    const left = replies.splice(4, 1)[0];
    assert.deepEqual(replies, [true, true, true, 'v', 1, 'v', 'OK']);
    assert.ok(left > 0 && left <= SHORT_MS);
    await until(async () => (await client.get(short)) === null, 'the value is gone');
    assert.ok(Date.now() - since >= SHORT_MS - 1);
    assert.equal(await client.command('TTL', short), -2);
    assert.equal(await client.command('EXISTS', short), 0);
    assert.deepEqual(await client.getMany([short, kept, renewed]), [null, 'v', 'w']);
    assert.equal(await client.command('TTL', kept), -1);
    assert.ok(await client.command('TTL', renewed) >= 50);
}

// Twice `round`, whose check holds only if it was done within the short life of one value of `key`.
async function twiceInTime(client, key, round) {
    for (let inTime = 0, rounds = 1; inTime < 2; rounds++) {
        assert.ok(rounds < 10, 'too slow to tell');
        await until(async () => (await client.get(key)) === null, 'the value is gone');
        const since = Date.now();
        const check = await round();
        if (Date.now() - since >= SHORT_MS) continue;
        check();
        inTime++;
    }
}

// Many ask; who finds nothing takes a lock, loads and stores.
async function loadsOnce(t, openClient, keyOf) {
    const key = keyOf('article');
    const clients = [await openClient(t), await openClient(t)];
    let loads = 0;
    let loading = 0;
    const load = async () => {
        assert.equal(++loading, 1, 'two load at once');
        await delay(10);
        loading--;
        return `version ${++loads}`;
    };
    const ask = async (client, name) => {
        for (;;) {
            const value = await client.get(key);
            if (value !== null) return value;
            if (await client.set(`${key}:lock`, name, 10_000, true)) {
                // Somebody may have loaded it since it was looked for.
                if ((await client.get(key)) === null) await client.set(key, await load(), SHORT_MS);
                await client.unlink([`${key}:lock`]);
            }
            await delay(2);
        }
    };
    await twiceInTime(clients[0], key, async () => {
        const before = loads;
        const answers = await Promise.all(Array.from({ length: 20 },
            (_, i) => ask(clients[i % 2], `asker ${i}`)));
        return () => assert.deepEqual(new Set(answers), new Set([`version ${before + 1}`]));
    });
}

async function limits(t, openClient, keyOf) {
    const clients = [await openClient(t), await openClient(t)];
    const key = keyOf('limit');
    await twiceInTime(clients[0], key, async () => {
        const counts = await Promise.all(Array.from({ length: 50 },
            (_, i) => clients[i % 2].countInWindow(key, SHORT_MS)));
        return () => assert.deepEqual(counts.sort((a, b) => a - b),
            Array.from({ length: 50 }, (_, i) => i + 1));
    });
}

async function carriesMany(t, openClient, keyOf) {
    const client = await openClient(t);
    const keys = Array.from({ length: 400 }, (_, i) => keyOf(`many ${i}`));
    const values = keys.map((_, i) => `value ${i} ${'x'.repeat(i % 300)}`);
    await Promise.all(keys.slice(200).map((key, i) => client.set(key, values[200 + i], 100_000)));
    await client.command('MSET', ...keys.slice(0, 200).flatMap((key, i) => [key, values[i]]));
    assert.deepEqual(await client.getMany([...keys, 'nosuch']), [...values, null]);
    assert.deepEqual((await client.scan(keyOf('many *'))).sort(), [...keys].sort());
    assert.equal(await client.unlink(keys), 400);
    assert.deepEqual(await client.scan(keyOf('many *')), []);
}

async function keepsSessions(t, openClient, keyOf) {
    const client = await openClient(t);
    const key = keyOf('session');
    const replies = await Promise.all([
        client.setFields(key, { user: '7', name: 'grüße', visits: '1' }),
        client.command('PEXPIRE', key, String(SHORT_MS)),
        client.command('HINCRBY', key, 'visits', '2'),
        client.command('HDEL', key, 'name', 'nosuch'), client.fields(key),
    ]);
    assert.deepEqual(replies, [3, 1, 3, 1, { user: '7', visits: '3' }]);
    await until(async () => !Object.keys(await client.fields(key)).length, 'the session is over');
}

function hits(reader) {
    return reader.client.clientSideCache.stats().hitCount;
}

// Read from the cache from now on.
async function isNear(reader, read) {
    await until(async () => {
        const before = hits(reader);
        await read();
        return hits(reader) > before;
    }, 'it is read from the cache');
}

async function seesChanges(reader, writer, key) {
    const changes = [
        ['SET', key, 'a'], ['APPEND', key, 'b'], ['SETRANGE', key, '1', 'c'], ['GETDEL', key],
        ['SET', key, '5', 'EX', '100'], ['INCRBY', key, '7'], ['RENAME', key, `${key}:new`],
        ['COPY', `${key}:new`, key], ['DEL', key], ['MSET', key, 'many', `${key}:new`, 'x'],
        ['FLUSHDB'],
    ];
    for (const change of changes) {
        await isNear(reader, () => reader.get(key));
        await writer.command(...change);
        const value = await writer.get(key);
        await until(async () => (await reader.get(key)) === value, `${change[0]} is seen`);
    }
    // Its own writes, too.
    await reader.command('SET', key, 'own');
    await until(async () => (await reader.get(key)) === 'own', 'what it wrote itself');
}

async function seesOthersChange(reader, writer, keyOf) {
    const [hash, one, two] = ['hash', 'one', 'two'].map(keyOf);
    await writer.setFields(hash, { a: '1' });
    await isNear(reader, () => reader.fields(hash));
    await writer.setFields(hash, { b: '2' });
    await until(async () => (await reader.fields(hash)).b === '2', 'the new field');
    await isNear(reader, () => reader.getMany([one, two]));
    await writer.client.multi().set(one, '1').set(two, '2').exec();
    await until(async () => (await reader.getMany([one, two])).join() === '1,2', 'both values');
}

async function seesExpiry(reader, key) {
    const replies = await Promise.all([reader.set(key, 'v', SHORT_MS), reader.get(key)]);
    assert.deepEqual(replies, [true, 'v']);
    await isNear(reader, () => reader.get(key));
    await until(async () => (await reader.get(key)) === null, 'it is gone');
}

// Each key only counts up, so what a reader sees of it may never go back.
async function catchesUp(t, readers, writer, keyOf) {
    const random = new Random(seedOfRun(t));
    const keys = Array.from({ length: 10 }, (_, i) => keyOf(`count ${i}`));
    let isOver = false;
    const reading = readers.map(async (reader) => {
        const seen = new Map(keys.map((key) => [key, 0]));
        while (!isOver) {
            const key = random.pick(keys);
            const value = Number(await reader.get(key));
            assert.ok(value >= seen.get(key), `${key} went from ${seen.get(key)} to ${value}`);
            seen.set(key, value);
            if (random.chance(0.05)) await delay(1);
        }
    });
    const writing = (async () => {
        for (let i = 0; i < WRITES; i++) {
            await writer.command('INCR', random.pick(keys));
            if (random.chance(0.2)) await delay(random.below(3));
        }
        isOver = true;
    })();
    await Promise.all([...reading, writing]);
    const values = await writer.getMany(keys);
    for (const reader of readers) {
        await until(async () => {
            const read = await Promise.all(keys.map((key) => reader.get(key)));
            return read.join() === values.join();
        }, 'as new as the server');
        assert.ok(hits(reader) > 0);
    }
}

test('a client-side cache is empty after a crash of the server, the server is not', ONLY_WEIR,
    async (t) => {
        const server = await weir(t);
        const reader = await open(t, NodeRedis.open(server.port, 3, { clientSideCache: {} }));
        const writer = await open(t, NodeRedis.open(server.port, 3));
        await writer.command('SET', 'kept', 'durable');
        await writer.command('SET', 'cache:lost', 'in memory');
        for (const key of ['kept', 'cache:lost']) await isNear(reader, () => reader.get(key));
        await server.restart('SIGKILL');
        await until(async () => (await reader.get('cache:lost')) === null, 'memory is gone');
        assert.equal(await reader.get('kept'), 'durable');
        await isNear(reader, () => reader.get('kept'));
        await writer.command('SET', 'kept', 'and tracked');
        await until(async () => (await reader.get('kept')) === 'and tracked', 'a change is seen');
    });

test('a cache that is full goes on, and takes nothing from what is kept', ONLY_WEIR, async (t) => {
    const server = await weir(t);
    const client = await open(t, NodeRedis.open(server.port, 3));
    await client.command('RANGE.SET', '0', 'cache:', 'MEMORY', 'MAXMEMORY', '1mb',
        'POLICY', 'allkeys-lru');
    const value = 'x'.repeat(1000);
    const keys = Array.from({ length: 4000 }, (_, i) => String(i));
    await Promise.all(keys.map((key) => client.set(`cache:${key}`, value, 100_000)));
    await Promise.all(keys.slice(0, 1000).map((key) => client.set(`kept:${key}`, value, 100_000)));
    const cached = await client.getMany(keys.map((key) => `cache:${key}`));
    const count = cached.filter((found) => found === value).length;
    assert.ok(count > 300 && count < 1100, `${count} of 4000`);
    assert.ok(cached.every((found) => found === value || found === null));
    assert.equal(cached.at(-1), value);
    const kept = await client.getMany(keys.slice(0, 1000).map((key) => `kept:${key}`));
    assert.ok(kept.every((found) => found === value));
});
