// SET, DELEX and DIGEST as of Redis 8.4: values that are compared before they change, in both stores.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ONLY_WEIR, smallMemory, weir } from './lib/server.mjs';

// XXH3 of these, as Redis's pages and threads have it.
const DIGESTS = new Map([
    ['Hello world', 'b6acb9d84a38ff74'],
    ['test', '9ec9f7918d7dfc40'],
    ['hello', '9555e8555c62dcfd'],
    ['v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd',
        '00006c38adf31777'],
]);
const SYNTAX = /^ERR syntax error$/;
const WRONGTYPE = /^WRONGTYPE/;

for (const [store, key] of [['durable', 'k'], ['memory', 'cache:k']]) {
    for (const protocol of [2, 3]) {
        test(`${store} keys, RESP${protocol}`, ONLY_WEIR, async (t) => {
            const server = await weir(t, { args: ['--range', '*', 'cache:', 'memory'] });
            const client = await server.connect({ protocol });
            t.after(() => client.destroy());
            const is = async (expected, ...line) => assert.deepEqual(await client.ok(...line),
                expected, line.join(' '));
            const fails = async (pattern, ...line) => assert.match((await client.call(...line)).message,
                pattern, line.join(' '));

            for (const [value, digest] of DIGESTS) {
                await is('OK', 'SET', key, value);
                await is(digest, 'DIGEST', key);
            }
            await is(1, 'DEL', key);
            await is(null, 'DIGEST', key);

            // What is not there is like nothing: equal to none, unlike any.
            for (const option of ['IFEQ', 'IFDEQ']) {
                await is(null, 'SET', key, 'v', option, '0123456789abcdef');
                await is(0, 'EXISTS', key);
            }
            for (const option of ['IFNE', 'IFDNE']) {
                await is('OK', 'SET', key, 'hello', option, '0123456789abcdef', 'EX', '100');
                assert.ok(await client.ok('TTL', key) > 50);
                await is(1, 'DELEX', key, option, '0123456789abcdef');
                await is(0, 'DELEX', key, option, '0123456789abcdef');
            }

            const same = { IFEQ: 'hello', IFDEQ: '9555e8555c62DCFD' };
            const other = { IFNE: 'hello', IFDNE: '9555E8555c62dcfd' };
            for (const [option, value] of Object.entries(same)) {
                await is('OK', 'SET', key, 'hello');
                await is('OK', 'SET', key, 'new', option, value);
                await is(null, 'SET', key, 'newer', option, value);
                await is('new', 'SET', key, 'newer', option, value, 'GET');
                await is('new', 'GET', key);
                await is(0, 'DELEX', key, option, value);
                await is('OK', 'SET', key, 'hello', 'PX', '100000');
                await is('hello', 'SET', key, 'hello', option.toLowerCase(), value, 'GET', 'KEEPTTL');
                assert.ok(await client.ok('PTTL', key) > 50_000);
                await is(1, 'DELEX', key, option.toLowerCase(), value);
            }
            for (const [option, value] of Object.entries(other)) {
                await is('OK', 'SET', key, 'hello');
                await is(null, 'SET', key, 'new', option, value);
                await is('hello', 'SET', key, 'new', option, value, 'GET');
                await is(0, 'DELEX', key, option, value);
                await is('OK', 'SET', key, 'hell');
                await is('hell', 'SET', key, 'new', option, value, 'GET');
                await is(1, 'DELEX', key, option, value);
            }

            await is('OK', 'SET', key, 'v');
            for (const words of [['IFEQ'], ['IFNE', 'v', 'NX'], ['XX', 'IFEQ', 'v'],
                ['IFEQ', 'v', 'IFNE', 'v'], ['IFDEQ', '0123456789abcdef', 'IFEQ', 'v']]) {
                await fails(SYNTAX, 'SET', key, 'new', ...words);
            }
            for (const digest of ['', '0123456789abcde', '0123456789abcdef0', '0123456789abcdeg']) {
                await fails(/16 hexadecimal/, 'SET', key, 'new', 'IFDEQ', digest);
                await fails(/16 hexadecimal/, 'DELEX', key, 'IFDNE', digest);
            }
            await fails(/^ERR Invalid condition/, 'DELEX', key, 'NX', 'v');
            await fails(/wrong number of arguments for 'delex'/, 'DELEX', key, 'IFEQ');
            await fails(/wrong number of arguments for 'delex'/, 'DELEX', key, 'IFEQ', 'v', 'x');
            await is('v', 'GET', key);
            await is('OK', 'SET', key, 'new', 'IFEQ', 'x', 'IFEQ', 'v');

            await client.ok('DEL', key);
            await client.ok('HSET', key, 'f', 'v');
            await fails(WRONGTYPE, 'SET', key, 'v', 'IFEQ', 'v');
            await fails(WRONGTYPE, 'DIGEST', key);
            await fails(WRONGTYPE, 'DELEX', key, 'IFNE', 'v');
            await is(1, 'DELEX', key);
            await is(0, 'DELEX', key);
        });
    }
}

test('a lock is let go of by its owner only, on keys that lie on disk', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: smallMemory('1mb') });
    let client = await server.connect();
    await client.ok('SET', 'lock', 'owner', 'NX', 'EX', '1000');
    for (const [token, gone] of [['other', 0], ['owner', 1]]) {
        await server.restart();
        client.destroy();
        client = await server.connect();
        assert.equal(await client.ok('SET', 'lock', 'stolen', 'IFEQ', 'nobody'), null);
        assert.equal(await client.ok('DELEX', 'lock', 'IFEQ', token), gone);
    }
    await server.restart('SIGKILL');
    client.destroy();
    client = await server.connect();
    assert.equal(await client.ok('EXISTS', 'lock'), 0);
    client.destroy();
});
