// Range rules that overlap in odd ways, odd limits, and ranges that are written beyond their budgets.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Random, seedOfRun } from './lib/random.mjs';
import { asMap } from './lib/resp.mjs';
import { QUICK, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

// Each within the one before; bytes that are no text; ends of lines.
const PREFIXES = ['', 'p', 'pr', 'pre', 'pre\x00', 'pre\x00\xff', 'pre\x00\xff\xff', '\r\n', '\xff', '*', '"'];
const DATABASES = [0, 1, 2];
const OOM = /OOM command not allowed/;

async function rule(client, key) {
    return asMap(await client.ok('RANGE.OF', key));
}

// What the rules say, looked at one after the other.
function storeOf(rules, db, key) {
    let best = null;
    for (const each of rules) {
        if ((each.db !== '*' && each.db !== String(db)) || !key.startsWith(each.prefix)) continue;
        const longer = best === null || each.prefix.length > best.prefix.length;
        if (longer || (each.prefix.length === best.prefix.length && each.db !== '*')) best = each;
    }
    return best.store.toLowerCase();
}

// A key under each prefix: in every database another value.
async function fill(client) {
    for (const db of DATABASES) {
        await client.ok('SELECT', db);
        for (const prefix of PREFIXES) await client.ok('SET', `${prefix}key`, `${prefix} ${db}`);
    }
}

async function check(client, rules) {
    for (const db of DATABASES) {
        await client.ok('SELECT', db);
        assert.equal(await client.ok('DBSIZE'), PREFIXES.length);
        for (const prefix of PREFIXES) {
            assert.equal(await client.ok('GET', `${prefix}key`), `${prefix} ${db}`);
            assert.equal((await rule(client, `${prefix}key`)).get('store'), storeOf(rules, db, `${prefix}key`),
                `${JSON.stringify(prefix)} in ${db}`);
        }
    }
    assert.equal((await client.ok('RANGE.LIST')).length, rules.length);
}

test('rules within rules come and go with keys in them, and no key is lost or in two stores', async (t) => {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, {});
    const client = await server.connect({ protocol: 3 });
    const rules = [{ db: '*', prefix: '', store: 'DURABLE' }, { db: '*', prefix: 'cache:', store: 'MEMORY' }];
    await fill(client);
    for (let round = 0; round < (QUICK ? 20 : 60); round++) {
        const next = { db: random.pick(['*', '0', '1', '2']), prefix: random.pick(PREFIXES),
            store: random.pick(['DURABLE', 'MEMORY']) };
        const at = rules.findIndex((each) => each.db === next.db && each.prefix === next.prefix);
        if (at > 0 && random.below(2) === 0) {
            assert.equal(await client.ok('RANGE.DEL', next.db, next.prefix, 'MOVE'), 'OK');
            rules.splice(at, 1);
        } else {
            assert.equal(await client.ok('RANGE.SET', next.db, next.prefix, next.store, 'MOVE'), 'OK');
            if (at >= 0) rules[at] = next;
            else rules.push(next);
        }
        await check(client, rules);
    }
    client.destroy();
});

test('the inner and the outer rule are deleted with keys in them, in either order', async (t) => {
    const server = await weir(t, {});
    const client = await server.connect({ protocol: 3 });
    for (const order of [['o:', 'o:i:'], ['o:i:', 'o:']]) {
        await client.ok('RANGE.SET', '*', 'o:', 'MEMORY');
        await client.ok('RANGE.SET', '*', 'o:i:', 'MEMORY', 'MAXMEMORY', '1mb', 'POLICY', 'allkeys-lfu');
        await client.ok('MSET', 'o:1', 'outer', 'o:i:1', 'inner');
        await assert.rejects(client.ok('RANGE.DEL', '*', 'o:'), /has keys/);
        for (const prefix of order) {
            await client.ok('RANGE.DEL', '*', prefix, 'MOVE');
            assert.deepEqual(await client.ok('MGET', 'o:1', 'o:i:1'), ['outer', 'inner']);
        }
        assert.equal((await rule(client, 'o:i:1')).get('prefix'), '');
        await client.ok('DEL', 'o:1', 'o:i:1');
    }
    await client.ok('RANGE.SET', '*', 'o:', 'MEMORY');
    await client.ok('RANGE.SET', '*', 'o:i:', 'MEMORY');
    await client.ok('SET', 'o:i:1', 'inner');
    await client.ok('RANGE.DEL', '*', 'o:i:'); // both in memory: the key stays there
    assert.equal(await client.ok('GET', 'o:i:1'), 'inner');
    assert.equal((await rule(client, 'o:i:1')).get('keys'), 1);
    client.destroy();
});

test('odd limits are refused, or are what they say', async (t) => {
    const server = await weir(t, { args: ['--maxmemory', '0'] });
    const client = await server.connect({ protocol: 3 });
    for (const size of ['-1', '', ' ', 'x', '1e9', '0x10', '1tbb', '18446744073709551616', '99999999999gb',
        '8589934592gb']) {
        await assert.rejects(client.ok('RANGE.SET', '0', 'l:', 'MEMORY', 'MAXMEMORY', size), /not a size/, size);
    }
    for (const words of [['DURABLE', 'POLICY', 'noeviction'], ['DURABLE', 'MAXMEMORY', '1mb'],
        ['MEMORY', 'MAXMEMORY'], ['MEMORY', 'POLICY'], ['MEMORY', 'POLICY', 'lru'], ['MEMORY', 'MOVE', 'MOVE'],
        ['MEMORY', 'MAXMEMORY', '1', 'MAXMEMORY'], ['MOVE']]) {
        await assert.rejects(client.ok('RANGE.SET', '0', 'l:', ...words), /^\w*Error|ERR/);
    }
    await assert.rejects(client.ok('RANGE.SET', '0', 'l'.repeat(1025), 'MEMORY'), /longer than 1024/);
    assert.equal((await client.ok('RANGE.LIST')).length, 2);
    await client.ok('RANGE.SET', '0', 'l:', 'MEMORY', 'MAXMEMORY', '0', 'POLICY', 'noeviction');
    for (let i = 0; i < 1000; i++) await client.ok('SET', `l:${i}`, 'x'.repeat(1000));
    assert.equal((await rule(client, 'l:')).get('keys'), 1000);
    await client.ok('RANGE.SET', '0', 'l:', 'MEMORY', 'MAXMEMORY', '1', 'POLICY', 'noeviction');
    assert.equal((await rule(client, 'l:')).get('keys'), 1000);
    await assert.rejects(client.ok('SET', 'l:0', 'v'), OOM);
    assert.equal(await client.ok('DEL', 'l:0'), 1);
    await client.ok('RANGE.SET', '0', 'l:', 'MEMORY', 'MAXMEMORY', '1', 'POLICY', 'allkeys-lru');
    await until(async () => (await rule(client, 'l:')).get('keys') === 0);
    await client.ok('RANGE.SET', '0', 'l:', 'MEMORY', 'MAXMEMORY', '8589934591gb');
    assert.ok((await rule(client, 'l:')).get('maxmemory') > 1e15);
    await client.ok('SET', 'l:0', 'v');
    for (let i = 3; i < 64; i++) await client.ok('RANGE.SET', '0', `many:${i}`, 'MEMORY');
    await assert.rejects(client.ok('RANGE.SET', '0', 'many:64', 'MEMORY'), /64 range rules/);
    await assert.rejects(client.ok('RANGE.SET', '0', 'many:64', 'MEMORY', 'MOVE'), /64 range rules/);
    assert.equal(await client.ok('RANGE.SET', '0', 'many:63', 'DURABLE', 'MOVE'), 'OK');
    client.destroy();
});

// Many connections write beyond the budget of one range, each its own keys.
async function storm(server, writers, writes) {
    const run = async (writer) => {
        const client = await server.connect({ protocol: 3 });
        for (let at = 0; at < writes; at += 100) {
            const keys = Array.from({ length: 100 }, (_, i) => `storm:${writer}:${at + i}`);
            await client.pipeline(keys.map((key) => ['SET', key, 'x'.repeat(200)]));
        }
        client.destroy();
    };
    await Promise.all(Array.from({ length: writers }, (_, writer) => run(writer)));
}

test('a storm of writes beyond the budget of one range leaves all others alone', async (t) => {
    const server = await weir(t, { args: ['--notify-keyspace-events', 'Ee'] });
    const client = await server.connect({ protocol: 3 });
    const kept = [];
    await client.ok('RANGE.SET', '0', 'storm:', 'MEMORY', 'MAXMEMORY', '1mb', 'POLICY', 'allkeys-lru');
    await client.ok('RANGE.SET', '0', 'calm:', 'MEMORY', 'MAXMEMORY', '1mb', 'POLICY', 'allkeys-lru');
    for (let i = 0; i < 500; i++) kept.push(`calm:${i}`, `durable:${i}`);
    await client.pipeline(kept.map((key) => ['SET', key, key]));
    const mover = await server.connect({ protocol: 3 });
    const moves = (async () => {
        for (const store of ['MEMORY', 'DURABLE', 'MEMORY', 'DURABLE'])
            await mover.ok('RANGE.SET', '0', 'durable:', store, 'MOVE');
    })();
    await Promise.all([storm(server, 20, QUICK ? 500 : 2000), moves]);
    const values = [];
    await client.pipeline(kept.map((key) => ['GET', key]), (value) => values.push(value));
    assert.deepEqual(values, kept);
    const calm = await rule(client, 'calm:1');
    const stormy = await rule(client, 'storm:1');
    assert.equal(calm.get('evictions'), 0);
    assert.equal((await rule(client, 'durable:1')).get('evictions'), 0);
    assert.ok(stormy.get('evictions') > 0);
    assert.ok(stormy.get('bytes') <= 1 << 20, String(stormy.get('bytes')));
    assert.equal(stormy.get('keys') + kept.length, await client.ok('DBSIZE'));
    await server.restart('SIGKILL');
    const after = await server.connect({ protocol: 3 });
    assert.equal(await after.ok('DBSIZE'), 500);
    for (const each of [client, mover, after]) each.destroy();
});
