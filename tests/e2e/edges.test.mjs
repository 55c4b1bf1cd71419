// Sequences that the random tests come to rarely, or that once went wrong: each to Weir, with folds
// and cold reads, and to redis-server, with the same replies.

import test, { describe } from 'node:test';
import { delay } from './lib/connection.mjs';
import { redis, smallMemory, weir } from './lib/server.mjs';
import { Twin } from './lib/twin.mjs';

const MAX = '18446744073709551615';

async function twinOf(t) {
    const twin = new Twin(await weir(t, { args: smallMemory('1mb') }), await redis(t), 0);
    await twin.connect();
    t.after(() => twin.destroy());
    return twin;
}

async function runAll(twin, commands) {
    for (const command of commands) await twin.run(0, command);
}

// Enough for a fold, and time for it.
async function fold(twin) {
    const value = 'x'.repeat(50_000);
    for (let i = 0; i < 24; i++) await twin.run(0, ['XADD', 'filler', '5-*', 'f', value]);
    await delay(100);
}

// In each of the ways to read, none helped by what another has brought into memory.
async function readEveryWay(twin, key) {
    for (const command of [['XREVRANGE', key, '+', '-'], ['XRANGE', key, '-', '+'],
        ['XINFO', 'STREAM', key], ['XREAD', 'STREAMS', key, '0'], ['XLEN', key]]) {
        await twin.restart('SIGKILL');
        await twin.run(0, command);
    }
}

function entries(key, from, to, size = 10) {
    const commands = [];
    for (let i = from; i <= to; i++) commands.push(['XADD', key, `${i}-1`, 'f', 'v'.repeat(size)]);
    return commands;
}

describe('what is read from disk', () => {
    test('is whole behind a deleted feed', async (t) => {
        const twin = await twinOf(t);
        await runAll(twin, entries('gone', 1, 3));
        await fold(twin);
        await runAll(twin, [['DEL', 'gone'], ...entries('k', 1, 3)]);
        await fold(twin);
        await twin.run(0, ['XREVRANGE', 'k', '+', '-']);
        await readEveryWay(twin, 'k');
    });

    test('is whole in a feed that was deleted and made again', async (t) => {
        const twin = await twinOf(t);
        await runAll(twin, entries('k', 1, 10, 1000));
        await fold(twin);
        await runAll(twin, [['DEL', 'k'], ...entries('k', 1, 3)]);
        await fold(twin);
        await twin.run(0, ['XREVRANGE', 'k', '+', '-']);
        await readEveryWay(twin, 'k');
    });

    test('is whole in a feed that was trimmed, also to nothing', async (t) => {
        const twin = await twinOf(t);
        for (const [length, from] of [['20', 101], ['1', 201], ['0', 301]]) {
            await runAll(twin, entries('k', from - 100, from - 1, 300));
            await fold(twin);
            await runAll(twin, [['XTRIM', 'k', 'MAXLEN', length], ...entries('k', from, from + 2)]);
            await fold(twin);
            await twin.run(0, ['XREVRANGE', 'k', '+', '-']);
            await readEveryWay(twin, 'k');
            await twin.run(0, ['DEL', 'k']);
        }
    });

    test('is whole where entries in the middle were deleted', async (t) => {
        const twin = await twinOf(t);
        await runAll(twin, entries('k', 1, 60, 500));
        await fold(twin);
        await runAll(twin, [['XDEL', 'k', '1-1', '2-1', '30-1', '31-1', '60-1'],
            ...entries('k', 61, 63)]);
        await fold(twin);
        await readEveryWay(twin, 'k');
        await runAll(twin, Array.from({ length: 63 }, (_, i) => ['XDEL', 'k', `${i + 1}-1`]));
        await fold(twin);
        await readEveryWay(twin, 'k');
        await runAll(twin, entries('k', 64, 66));
        await readEveryWay(twin, 'k');
    });

    test('follows the feed that was renamed, copied and swapped', async (t) => {
        const twin = await twinOf(t);
        await runAll(twin, entries('k', 1, 30, 500));
        await fold(twin);
        await runAll(twin, [['RENAME', 'k', 'new'], ['COPY', 'new', 'copy'], ...entries('k', 1, 2),
            ['COPY', 'new', 'other', 'DB', '1'], ['XDEL', 'new', '7-1']]);
        await fold(twin);
        for (const key of ['k', 'new', 'copy']) await readEveryWay(twin, key);
        await runAll(twin, [['SWAPDB', '0', '1']]);
        await readEveryWay(twin, 'other');
        await twin.compareAll();
    });
});

describe('ids', () => {
    test('the greatest possible one is an id as others', async (t) => {
        const twin = await twinOf(t);
        const last = `${MAX}-${MAX}`;
        await runAll(twin, [['XADD', 'k', '1-1', 'f', 'v'], ['XADD', 'k', last, 'f', 'w'],
            ['XADD', 'k', '*', 'f', 'v'], ['XRANGE', 'k', last, last], ['XRANGE', 'k', '2', '+'],
            ['XREAD', 'STREAMS', 'k', `${MAX}-1`], ['XREAD', 'STREAMS', 'k', last],
            ['XRANGE', 'k', `(${last}`, '+'], ['XREVRANGE', 'k', '+', '-', 'COUNT', '1']]);
        await readEveryWay(twin, 'k');
        await runAll(twin, [['COPY', 'k', 'copy'], ['XTRIM', 'k', 'MAXLEN', '1'],
            ['XTRIM', 'k', 'MINID', last], ['XDEL', 'k', last], ['XINFO', 'STREAM', 'k'],
            ['XDEL', 'copy', last], ['XINFO', 'STREAM', 'copy']]);
        await fold(twin);
        await readEveryWay(twin, 'k');
        await readEveryWay(twin, 'copy');
    });

    // Its last entry is deleted, and then XSETID takes the last id back below that entry's.
    test('cannot begin again below a deleted one, whatever MAXDELETEDID says', async (t) => {
        const twin = await twinOf(t);
        for (const [key, size] of [['small', 10], ['large', 35_000]]) {
            await runAll(twin, [['XADD', key, '5-1', 'f', 'v'.repeat(size)],
                ['XADD', key, '1000-1', 'f', 'v'], ['XDEL', key, '1000-1'],
                ['XSETID', key, '1001-1', 'MAXDELETEDID', '10-0'], ['XSETID', key, '100-0'],
                ['XADD', key, '200-1', 'f', 'v'], ['XRANGE', key, '-', '+']]);
            await readEveryWay(twin, key);
            await runAll(twin,
                [['XADD', key, '1000-1', 'f', 'w'], ['XADD', key, '1001-1', 'f', 'v']]);
            await readEveryWay(twin, key);
            await fold(twin);
            await readEveryWay(twin, key);
        }
    });
});

test('a null byte is a byte as others', async (t) => {
    const twin = await twinOf(t);
    await runAll(twin, [['XADD', 'a\x00b', '1-1', '\x00', '\x00'], ['EXISTS', 'a', 'a\x00b'],
        ['KEYS', 'a\x00*'], ['XRANGE', 'a\x00b', '-', '+']]);
    await readEveryWay(twin, 'a\x00b');
});
