// RANGE.LIST: how many keys a durable range has and what they take.

import assert from 'node:assert/strict';
import test from 'node:test';
import { asMap } from './lib/resp.mjs';
import { smallMemory, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

// What rule `db prefix` has.
async function sizes(client, db, prefix) {
    let found;
    await until(async () => {
        const rules = (await client.ok('RANGE.LIST')).map(asMap);
        found = rules.find((rule) => String(rule.get('db')) === db && rule.get('prefix') === prefix);
        return found.get('keys') !== null;
    });
    return [found.get('keys'), found.get('bytes')];
}

// Of values of 100 bytes under names of 5: keys and their bytes.
const plain = (count) => [count, count * 105];

async function fill(client, prefix, count) {
    const commands = [];
    for (let i = 0; i < count; i++)
        commands.push(['SET', prefix + String(i).padStart(5 - prefix.length, '0'), 'x'.repeat(100)]);
    await client.pipeline(commands);
}

test('keys and bytes of durable ranges are told through all that happens to them', async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'always', ...smallMemory('1mb')] });
    let client = await server.connect({ protocol: 3 });
    await fill(client, 'a', 500);
    await fill(client, 'ab', 300);
    await client.ok('SELECT', '1');
    await fill(client, 'a', 200);
    assert.deepEqual(await sizes(client, '*', ''), plain(1000));
    await client.ok('SAVE');
    await client.ok('RANGE.SET', '0', 'ab', 'DURABLE');
    await client.ok('RANGE.SET', '*', 'a', 'DURABLE');
    assert.deepEqual(await sizes(client, '0', 'ab'), plain(300));
    assert.deepEqual(await sizes(client, '*', 'a'), plain(700));
    assert.deepEqual(await sizes(client, '*', ''), plain(0));
    await server.restart('SIGKILL');
    client.destroy();
    client = await server.connect({ protocol: 3 });
    assert.deepEqual(await sizes(client, '0', 'ab'), plain(300));
    await client.ok('DEL', 'ab000', 'ab001', 'a0001');
    await client.ok('RENAME', 'ab002', 'a0001');
    await client.ok('PEXPIRE', 'ab003', '1');
    await until(async () => await client.ok('EXISTS', 'ab003') === 0);
    assert.deepEqual(await sizes(client, '0', 'ab'), plain(296));
    assert.deepEqual(await sizes(client, '*', 'a'), plain(700));
    await client.ok('APPEND', 'ab004', 'yy');
    assert.deepEqual(await sizes(client, '0', 'ab'), [296, 296 * 105 + 2]);
    await server.restart('SIGTERM');
    client.destroy();
    client = await server.connect({ protocol: 3 });
    assert.deepEqual(await sizes(client, '0', 'ab'), [296, 296 * 105 + 2]);
    await client.ok('SWAPDB', '0', '1');
    assert.deepEqual(await sizes(client, '1', 'ab'), [296, 296 * 105 + 2]);
    await client.ok('FLUSHDB');
    assert.deepEqual(await sizes(client, '*', 'a'), plain(500));
    await client.ok('RANGE.DEL', '1', 'ab');
    assert.deepEqual(await sizes(client, '*', 'a'), [796, 796 * 105 + 2]);
    await client.ok('RANGE.SET', '*', 'a', 'MEMORY', 'MOVE');
    await client.ok('RANGE.DEL', '*', 'a', 'MOVE');
    assert.deepEqual(await sizes(client, '*', ''), [796, 796 * 105 + 2]);
    await server.restart('SIGKILL');
    client.destroy();
    client = await server.connect({ protocol: 3 });
    assert.deepEqual(await sizes(client, '*', ''), [796, 796 * 105 + 2]);
    await client.ok('FLUSHALL');
    assert.deepEqual(await sizes(client, '*', ''), [0, 0]);
    client.destroy();
});

test('streams take what their entries take on average', async (t) => {
    const server = await weir(t, {});
    const client = await server.connect({ protocol: 3 });
    for (let i = 0; i < 100; i++) await client.ok('XADD', 'feed', '*', 'field', 'x'.repeat(100));
    const [keys, bytes] = await sizes(client, '*', '');
    assert.equal(keys, 1);
    assert.ok(bytes > 100 * 100 && bytes < 100 * 150, String(bytes));
    await client.ok('XTRIM', 'feed', 'MAXLEN', '50');
    const [, half] = await sizes(client, '*', '');
    assert.ok(Math.abs(half - bytes / 2) < 10, `${half} of ${bytes}`);
    client.destroy();
});
