// DUMP and RESTORE: what was dumped comes back in both stores; the replies but for the dump itself
// are those of Redis.

import assert from 'node:assert/strict';
import test from 'node:test';
import { redis, smallMemory, weir } from './lib/server.mjs';

const STORES = ['', 'cache:'];

test('a dumped string or hash comes back in either store, also after a restart', async (t) => {
    const server = await weir(t, { args: smallMemory('1mb') });
    const client = await server.connect({ protocol: 2 });
    const long = 'x'.repeat(300_000);
    const fields = Array.from({ length: 2000 }, (_, i) => [`f${i}`, `v${i}\0\xff`]).flat();
    for (const prefix of STORES) {
        await client.ok('SET', `${prefix}string`, long, 'EX', '1000');
        await client.ok('HSET', `${prefix}hash`, ...fields);
        await client.ok('SET', `${prefix}empty`, '');
    }
    for (const from of STORES) {
        for (const name of ['string', 'hash', 'empty']) {
            const dump = await client.ok('DUMP', `${from}${name}`);
            for (const to of STORES) {
                assert.equal(await client.ok('RESTORE', `${to}back:${name}`, '0', dump, 'REPLACE'), 'OK');
                assert.equal(await client.ok('DUMP', `${to}back:${name}`), dump);
                assert.equal(await client.ok('PTTL', `${to}back:${name}`), -1);
            }
        }
    }
    assert.deepEqual(await client.ok('HGETALL', 'cache:back:hash'), fields);
    await server.restart('SIGKILL');
    const after = await server.connect({ protocol: 2 });
    assert.equal(await after.ok('GET', 'back:string'), long);
    assert.deepEqual(await after.ok('HGETALL', 'back:hash'), fields);
    assert.equal(await after.ok('EXISTS', 'cache:back:hash'), 0);
    after.destroy();
    client.destroy();
});

test('times of expiry, events and watches of RESTORE are those of Redis', async (t) => {
    const servers = [await weir(t, {}), await redis(t)];
    const heard = [];
    for (const server of servers) {
        const client = await server.connect({ protocol: 2 });
        await client.ok('CONFIG', 'SET', 'notify-keyspace-events', 'KEAn');
        const listener = await server.connect({ protocol: 3 });
        listener.send('PSUBSCRIBE', '__key*__:*');
        await client.ok('SET', 'key', 'value');
        const dump = await client.ok('DUMP', 'key');
        const later = String(Date.now() + 500_000);
        await client.ok('RESTORE', 'relative', '500000', dump);
        await client.ok('RESTORE', 'absolute', later, dump, 'ABSTTL', 'IDLETIME', '100');
        const left = await client.ok('PTTL', 'relative');
        assert.ok(left > 400_000 && left <= 500_000, `${left}`);
        assert.equal(await client.ok('PEXPIRETIME', 'absolute'), Number(later));
        await client.ok('RESTORE', 'passed', '1', dump, 'ABSTTL');
        await client.ok('RESTORE', 'absolute', '1', dump, 'ABSTTL', 'REPLACE');
        await client.ok('RESTORE', 'relative', '0', dump, 'REPLACE', 'FREQ', '7');
        assert.equal(await client.ok('EXISTS', 'passed', 'absolute'), 0);
        assert.equal(await client.ok('TTL', 'relative'), -1);
        await client.ok('WATCH', 'relative');
        await client.ok('RESTORE', 'relative', '0', dump, 'REPLACE');
        await client.ok('MULTI');
        await client.ok('PING');
        assert.equal(await client.ok('EXEC'), null);
        await listener.ok('PING');
        heard.push(listener.pushes);
        listener.destroy();
        client.destroy();
    }
    assert.ok(heard[0].length > 10);
    assert.deepEqual(heard[0], heard[1]);
});

test('what is wrong with RESTORE is told as Redis tells it', async (t) => {
    const servers = [await weir(t, {}), await redis(t)];
    const replies = [];
    for (const server of servers) {
        const client = await server.connect({ protocol: 2 });
        await client.ok('SET', 'key', 'value');
        const dump = await client.ok('DUMP', 'key');
        const broken = `${String.fromCharCode(dump.charCodeAt(0) ^ 1)}${dump.slice(1)}`;
        const commands = [
            ['DUMP'], ['DUMP', 'nothing'], ['DUMP', 'key', 'more'], ['RESTORE', 'a', '0'],
            ['RESTORE', 'key', '0', dump], ['RESTORE', 'key', 'x', dump], ['RESTORE', 'key', '0', ''],
            ['RESTORE', 'a', 'x', dump], ['RESTORE', 'a', '-1', dump], ['RESTORE', 'a', '-1', broken],
            ['RESTORE', 'a', '0', broken], ['RESTORE', 'a', '0', ''], ['RESTORE', 'a', '0', 'noise'],
            ['RESTORE', 'a', '0', dump.slice(0, -1)], ['RESTORE', 'a', '0', `${dump}x`],
            ['RESTORE', 'key', '0', broken, 'REPLACE'], ['GET', 'key'],
            ['RESTORE', 'a', '0', dump, 'NONSENSE'], ['RESTORE', 'a', '0', dump, 'IDLETIME'],
            ['RESTORE', 'a', '0', dump, 'IDLETIME', 'x'], ['RESTORE', 'a', '0', dump, 'IDLETIME', '-1'],
            ['RESTORE', 'a', '0', dump, 'FREQ', '256'], ['RESTORE', 'a', '0', dump, 'FREQ', '-1'],
            ['RESTORE', 'a', '0', dump, 'FREQ', '1', 'IDLETIME', '1'],
            ['RESTORE', 'a', '0', dump, 'IDLETIME', '1', 'FREQ', '1'],
            ['RESTORE', 'key', 'x', dump, 'NONSENSE'], ['RESTORE', 'key', '0', dump, 'FREQ', 'x'],
            ['EXISTS', 'a'], ['RESTORE', 'a', '0', dump], ['GET', 'a'],
        ];
        const told = [];
        for (const command of commands) {
            const reply = await client.call(...command);
            told.push([told.length, reply instanceof Error ? reply.message : reply]);
        }
        replies.push(told);
        client.destroy();
    }
    assert.deepEqual(replies[0], replies[1]);
});

test('a stream is not dumped, and a full memory range takes nothing back', async (t) => {
    const server = await weir(t, { args: ['--range', '*', 'full:', 'memory', 'maxmemory', '64kb',
        'policy', 'noeviction'] });
    const client = await server.connect({ protocol: 2 });
    await client.ok('XADD', 'feed', '*', 'f', 'v');
    await assert.rejects(client.ok('DUMP', 'feed'), /strings and hashes only/);
    await client.ok('SET', 'key', 'x'.repeat(70_000));
    const dump = await client.ok('DUMP', 'key');
    await client.ok('RESTORE', 'full:1', '0', dump);
    await assert.rejects(client.ok('RESTORE', 'full:2', '0', dump), /^ReplyError: OOM|OOM command/);
    assert.equal(await client.ok('RESTORE', 'feed', '0', dump, 'REPLACE'), 'OK');
    assert.equal(await client.ok('TYPE', 'feed'), 'string');
    client.destroy();
});
