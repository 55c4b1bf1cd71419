// COMMAND INFO, DOCS, LIST and GETKEYS beside redis-server, for every command that both know.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { ReplyError, asMap } from './lib/resp.mjs';
import { redis, suiteScope, weir } from './lib/server.mjs';

// What Redis tells and Weir does not, with the reason.
const FLAGS_LEFT_OUT = new Map([
    ['allow_busy', 'no script keeps the server busy'],
    ['no_async_loading', 'no replica loads while it serves'],
    ['skip_slowlog', 'there is no slow log'],
]);
const NO_DENYOOM = {
    commands: ['xadd', 'xgroup|create', 'xgroup|createconsumer', 'xsetid'],
    reason: 'feeds never live in memory ranges: no budget refuses them',
};

const CATEGORIES = ['keyspace', 'read', 'write', 'set', 'sortedset', 'list', 'hash', 'string',
    'bitmap', 'hyperloglog', 'geo', 'stream', 'pubsub', 'admin', 'fast', 'slow', 'blocking',
    'dangerous', 'connection', 'transaction', 'scripting'];

// Lines whose keys depend on their words. Not among them: those of XREAD that are no good, and those
// with a STREAMS that is the value of an option, where Redis takes what is no key for one.
const LINES = [
    'XREAD STREAMS a 0', 'XREAD STREAMS a b 0 0', 'XREAD COUNT 1 STREAMS a 0', 'XREAD BLOCK 0 COUNT 1 STREAMS a b c 1 2 3',
    'XREADGROUP GROUP g c STREAMS a >', 'XREADGROUP GROUP STREAMS c STREAMS a >',
    'XREADGROUP GROUP g STREAMS COUNT 1 NOACK STREAMS a b > >', 'xgroup create a g $',
    'SET a b GET', 'MSET a 1 b 2 c', 'MSET a 1 b', 'COPY a b DB 1', 'LCS a b LEN', 'WATCH a b c',
    'NOSUCH a', 'XGROUP NOSUCH a', 'OBJECT FREQ a', 'GET', 'GET a b', 'DEL', 'XGROUP CREATE',
];

const wordsOf = (value) => [...value].sort();  // a set in RESP3, or an array

function specOf(spec) {
    const map = asMap(spec);
    const fieldsOf = (name) => {
        const part = asMap(map.get(name));
        return { type: part.get('type'), ...Object.fromEntries(asMap(part.get('spec'))) };
    };
    return { flags: wordsOf(map.get('flags')), begin: fieldsOf('begin_search'),
        keys: fieldsOf('find_keys') };
}

function infoOf(row) {
    const [name, arity, flags, first, last, step, categories, tips, specs] = row;
    return { name, arity, flags: wordsOf(flags), keys: [first, last, step],
        categories: wordsOf(categories), tips: wordsOf(tips), specs: [...specs].map(specOf) };
}

// All commands by full name.
async function tableOf(connection) {
    const rows = await connection.ok('COMMAND');
    return new Map(rows.flatMap((row) => [row, ...(row[9] ?? [])])
        .map((row) => [row[0], comparable(infoOf(row))]));
}

function comparable({ flags, ...info }) {
    const leftOut = (flag) => FLAGS_LEFT_OUT.has(flag) ||
        (flag === 'denyoom' && NO_DENYOOM.commands.includes(info.name));
    return { ...info, flags: flags.filter((flag) => !leftOut(flag)) };
}

describe('commands that both know', () => {
    const scope = suiteScope();
    const connections = [];
    let names;

    test('arity, flags, keys, categories and tips', async () => {
        for (const server of [await weir(scope), await redis(scope)]) {
            for (const protocol of [2, 3]) {
                const connection = await server.connect({ protocol });
                scope.after(() => connection.destroy());
                connections.push(connection);
            }
        }
        const [weir2, weir3, redis2, redis3] = await Promise.all(connections.map(tableOf));
        names = [...weir3.keys()].filter((name) => redis3.has(name));
        assert.ok(names.length > 150, `${names.length} commands`);
        for (const name of names) {
            assert.deepEqual(weir3.get(name), redis3.get(name));
            assert.deepEqual(weir2.get(name), redis2.get(name));
        }
    });

    test('group, and since when there is such a command', async () => {
        const [ours, theirs] = await Promise.all([connections[1], connections[3]].map(
            (connection) => connection.ok('COMMAND', 'DOCS', ...names)));
        for (const [name, docs] of ours) {
            for (const field of ['group', 'since']) {
                assert.equal(docs.get(field), theirs.get(name).get(field), `${field} of ${name}`);
            }
            assert.ok(docs.get('summary'), name);
        }
    });

    test('COMMAND LIST by category', async () => {
        for (const category of [...CATEGORIES, 'nosuch']) {
            const [ours, theirs] = await Promise.all([connections[1], connections[3]].map(
                (connection) => connection.ok('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', category)));
            const shared = (list) => wordsOf(list).filter((name) => names.includes(name));
            assert.deepEqual(shared(ours), shared(theirs), category);
        }
    });

    test('COMMAND GETKEYS', async () => {
        const table = await tableOf(connections[1]);
        const hasWords = (name) => name !== 'cluster';  // there is none: it has no subcommands here
        const lines = names.filter(hasWords).flatMap((name) => {
            const words = name.split('|');
            const least = Math.abs(table.get(name).arity) - words.length;
            return [least - 1, least, least + 1, least + 2].filter((count) => count >= 0)
                .map((count) => [...words, ...Array.from({ length: count }, (_, i) => `k${i}`)]);
        });
        for (const line of [...lines, ...LINES.map((text) => text.split(' '))]) {
            const [ours, theirs] = await Promise.all([connections[0], connections[2]].map(
                (connection) => connection.call('COMMAND', 'GETKEYS', ...line)));
            const plain = (reply) => (reply instanceof ReplyError ? reply.message : reply);
            assert.deepEqual(plain(ours), plain(theirs), line.join(' '));
        }
    });
});
