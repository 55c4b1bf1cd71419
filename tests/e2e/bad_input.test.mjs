// What comes in malformed, oversized or as garbage: answered as Redis answers, closed where Redis
// closes, and never more than a nuisance.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import { PROTOCOL_DIFFERENCES } from './differences.mjs';
import { delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { encodeCommand } from './lib/resp.mjs';
import {
    ONLY_WEIR, QUICK, STAND_IN, redis, residentBytes, smallMemory, suiteScope, weir,
} from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const QUIET_MS = QUICK ? 1500 : 400;
const MB = 1024 * 1024;

const PING = '*1\r\n$4\r\nPING\r\n';

// What is sent, as latin1. Each is tried on a connection of its own.
const INPUTS = {
    'an empty line': '\r\n',
    'empty lines and a command': `\r\n\r\n${PING}`,
    'a null array': `*-1\r\n${PING}`,
    'an empty array': `*0\r\n${PING}`,
    'a very negative array': `*-10\r\n${PING}`,
    'an array length that is no number': '*abc\r\n',
    'an array without a length': '*\r\n',
    'an array length with a blank': `* 1\r\n$4\r\nPING\r\n`,
    'an array length with a plus': '*+1\r\n$4\r\nPING\r\n',
    'an array length with a leading zero': '*01\r\n$4\r\nPING\r\n',
    'an array length beyond 64 bits': '*99999999999999999999\r\n',
    'an array length beyond 31 bits': '*2147483648\r\n',
    'an array length at 31 bits': '*2147483647\r\n',
    'an array length that never ends': `*${'1'.repeat(70_000)}`,
    'a bulk without its dollar': '*1\r\n4\r\nPING\r\n',
    'an integer for a bulk': '*1\r\n:4\r\n',
    'a status for a bulk': '*1\r\n+PING\r\n',
    'a nested array': '*1\r\n*1\r\n$4\r\nPING\r\n',
    'a control character for a bulk': '*1\r\n\x01\r\n',
    'a negative bulk': '*1\r\n$-1\r\n',
    'a very negative bulk': '*1\r\n$-5\r\n',
    'a bulk length that is no number': '*1\r\n$abc\r\n',
    'a bulk without a length': '*1\r\n$\r\n',
    'a bulk length with a blank': '*1\r\n$ 4\r\nPING\r\n',
    'a bulk length with a plus': '*1\r\n$+4\r\nPING\r\n',
    'a bulk length with a leading zero': '*1\r\n$04\r\nPING\r\n',
    'a bulk length beyond 64 bits': '*1\r\n$99999999999999999999\r\n',
    'a bulk just longer than allowed': '*1\r\n$536870913\r\n',
    'the longest bulk, not sent': '*1\r\n$536870912\r\n',
    'a bulk length that never ends': `*1\r\n$${'1'.repeat(70_000)}`,
    'a second bulk that is bad': '*2\r\n$4\r\nECHO\r\n$x\r\n',
    'a good command before a bad one': `${PING}*1\r\n$-1\r\n`,
    'a good command behind a bad one': `*1\r\n$-1\r\n${PING}`,
    'two good commands around a null array': `${PING}*-1\r\n${PING}`,
    'an empty command name': '*1\r\n$0\r\n\r\n',
    'an empty argument': '*2\r\n$4\r\nECHO\r\n$0\r\n\r\n',
    'half an array header': '*1',
    'half a bulk': '*1\r\n$4\r\nPI',
    'a command name with a null byte': '*1\r\n$5\r\nPI\x00NG\r\n',
    'a command name with a line break': '*1\r\n$6\r\nPI\r\nNG\r\n',
    'an unknown command with a binary argument': '*2\r\n$3\r\nfoo\r\n$4\r\n\x00\xff\r\n\r\n',
    'a subcommand with a line break': '*3\r\n$5\r\nXINFO\r\n$3\r\na\nb\r\n$1\r\nk\r\n',
    'an inline command': 'PING\r\n',
    'an inline command in lower case': 'ping\r\n',
    'an inline command ended by a line feed only': 'PING\n',
    'inline arguments': 'ECHO hello\r\n',
    'inline blanks': '   ECHO    hello   \r\n',
    'inline tabs': '\tECHO\thello\r\n',
    'an inline of blanks': `   \r\n${PING}`,
    'inline double quotes': 'ECHO "a b\\x41\\n\\"c"\r\n',
    'inline single quotes': "ECHO 'a b\\'c\\n'\r\n",
    'inline empty quotes': 'ECHO ""\r\n',
    'inline quotes that do not end': 'ECHO "abc\r\n',
    'inline single quotes that do not end': "ECHO 'abc\r\n",
    'inline quotes glued to a word': 'ECHO "abc"def\r\n',
    'an inline with a null byte': 'ECHO a\x00b\r\n',
    'an inline with high bytes': 'ECHO \xe4\xff\r\n',
    'several inlines at once': 'PING\r\nECHO a\r\nXLEN nosuch\r\n',
    'an unknown inline command': 'TELL / HTTP/1.1\r\n',
    'a browser': 'GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n',
    'a form sent by a browser': 'POST / HTTP/1.1\r\nHost: localhost\r\n\r\nXADD a * b c\r\n',
    'a TLS hello': '\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n',
    'an inline that never ends': 'a'.repeat(70_000),
    'an inline of 60 KB': `ECHO ${'a'.repeat(60_000)}\r\n`,
    'an inline of 200 KB with its end': `ECHO ${'a'.repeat(200_000)}\r\n`,
    'a map for an array': '%1\r\n$4\r\nPING\r\n$1\r\na\r\n',
    'a push for an array': '>1\r\n$4\r\nPING\r\n',
    'HELLO of the future': '*2\r\n$5\r\nHELLO\r\n$1\r\n4\r\n',
    'HELLO of the past': '*2\r\n$5\r\nHELLO\r\n$1\r\n1\r\n',
    'HELLO without a number': '*2\r\n$5\r\nHELLO\r\n$1\r\nx\r\n',
    'HELLO with a bad option': '*3\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$3\r\nfoo\r\n',
    'HELLO with a bad name': '*4\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$7\r\nSETNAME\r\n$3\r\na b\r\n',
    'AUTH without a password set': 'AUTH secret\r\n',
    QUIT: `*1\r\n$4\r\nQUIT\r\n${PING}`,
    'QUIT behind others': `${PING}${PING}*1\r\n$4\r\nQUIT\r\n`,
};

describe('malformed input', () => {
    const scope = suiteScope();
    const servers = {};

    before(async () => {
        servers.weir = await weir(scope);
        servers.redis = await redis(scope);
    });

    async function outcome(server, input) {
        const connection = await server.connect();
        connection.collect();
        connection.write(Buffer.from(input, 'latin1'));
        const { raw, closed } = await connection.quiet(QUIET_MS);
        connection.destroy();
        return { reply: raw.toString('latin1'), closed };
    }

    describe('is answered, and the connection closed or kept, as Redis does', { concurrency: 16 },
        () => {
            for (const [name, input] of Object.entries(INPUTS)) {
                test(name, async () => {
                    const [ours, theirs] = await Promise.all(
                        [outcome(servers.weir, input), outcome(servers.redis, input)]);
                    const meant = STAND_IN ? undefined : PROTOCOL_DIFFERENCES[name]?.weir;
                    assert.deepEqual(ours, meant ?? theirs);
                });
            }
        });

    test('every split of a pipeline into two pieces is the same pipeline', async () => {
        const pipeline = `${PING}PING a\r\n*2\r\n$4\r\nECHO\r\n$3\r\n\r\n\xff\r\n*0\r\n\r\n${PING}`;
        const expected = '+PONG\r\n$1\r\na\r\n$3\r\n\r\n\xff\r\n+PONG\r\n';
        for (let at = 1; at < pipeline.length; at++) {
            const connection = await servers.weir.connect();
            connection.collect();
            connection.write(Buffer.from(pipeline.slice(0, at), 'latin1'));
            await delay(1);
            connection.write(Buffer.from(pipeline.slice(at), 'latin1'));
            const received = () => Buffer.concat(connection.received).toString('latin1');
            await until(() => received().length >= expected.length);
            assert.equal(received(), expected, `split at ${at}`);
            connection.destroy();
        }
    });

    test('a command that comes byte by byte is a command', async () => {
        const connection = await servers.weir.connect();
        for (const byte of encodeCommand(['XADD', 'slow', '1-1', 'field', 'va\r\nlue'])) {
            connection.write(Buffer.from([byte]));
            await delay(1);
        }
        assert.equal((await connection.next()).value, '1-1');
        assert.deepEqual(await connection.call('XRANGE', 'slow', '-', '+'),
            [['1-1', ['field', 'va\r\nlue']]]);
        connection.destroy();
    });
});

describe('big input', () => {
    const scope = suiteScope();
    const servers = {};

    before(async () => {
        servers.weir = await weir(scope, { args: smallMemory('4mb') });
        servers.redis = await redis(scope);
    });

    async function both(...args) {
        const replies = [];
        for (const server of [servers.weir, servers.redis]) {
            const connection = await server.connect({ protocol: 3 });
            replies.push((await connection.exchange(args)).raw.toString('latin1'));
            connection.destroy();
        }
        assert.ok(replies[0] === replies[1],
            `${args[0]}: ${replies[0].slice(0, 300)} but ${replies[1].slice(0, 300)}`);
        return replies[0];
    }

    for (const size of [0, 1, 255, 4095, 4096, 65_535, 65_536, MB, 5 * MB]) {
        test(`a value of ${size} bytes comes back as it was`, async () => {
            const value = 'v'.repeat(size);
            const key = `value:${size}`;
            assert.match(await both('XADD', key, '1-1', 'f', value), /1-1/);
            await both('XADD', key, '1-2', value.slice(0, 100_000), '');
            const reply = await both('XRANGE', key, '-', '+');
            assert.ok(reply.includes(value));
            await both('XREAD', 'STREAMS', key, '0');
            await both('XDEL', key, '1-1');
            await both('XLEN', key);
        });
    }

    test('a key of no bytes and keys up to 1 MB are keys', async () => {
        for (const size of [0, 1, 1000, 65_535, 65_536, MB]) {
            const key = 'k'.repeat(size);
            await both('XADD', key, '1-1', 'f', 'v');
            await both('XRANGE', key, '-', '+');
            await both('TYPE', key);
            await both('EXISTS', key, key);
            await both('XREAD', 'STREAMS', key, '0');
            await both('RENAME', key, `${key}!`);
            await both('EXISTS', key);
            await both('XLEN', `${key}!`);
            await both('DEL', `${key}!`);
        }
        await both('DBSIZE');
    });

    test('big entries survive a kill, also a restart before any fold', async () => {
        const connection = await servers.weir.connect();
        const value = 'w'.repeat(3 * MB);
        await connection.ok('XADD', 'k'.repeat(MB), '1-1', 'f', value);
        connection.destroy();
        await servers.weir.restart('SIGKILL');
        const again = await servers.weir.connect();
        const [[, fields]] = await again.ok('XRANGE', 'k'.repeat(MB), '-', '+');
        assert.ok(fields[1] === value);
        await again.ok('DEL', 'k'.repeat(MB));
        again.destroy();
    });

    test('a command of 100,000 arguments runs', async () => {
        const keys = Array.from({ length: 100_000 }, (_, i) => `many:${i}`);
        await both('EXISTS', ...keys);
        await both('DEL', ...keys);
        await both('XADD', 'wide', '1-1', ...keys);
        await both('XRANGE', 'wide', '-', '+');
        await both('XDEL', 'wide', ...keys.map((_, i) => `${i}-1`));
        const some = keys.slice(0, 20_000);
        await both('XREAD', 'STREAMS', ...some, ...some.map(() => '0'));
    });

    test('an unknown command with huge arguments is told in brief', async () => {
        await both('nosuch'.repeat(1000), 'a'.repeat(MB), 'b');
        await both('XINFO', 'x'.repeat(MB), 'k');
        await both('XADD', 'k', 'i'.repeat(MB), 'f', 'v');
        await both('XRANGE', 'k', 'i'.repeat(MB), '+');
        await both('XTRIM', 'k', 'MAXLEN', '1'.repeat(MB));
    });
});

describe('garbage', () => {
    const scope = suiteScope();
    let server;

    before(async () => {
        server = await weir(scope, { args: ['--client-query-buffer-limit', '1mb'] });
    });

    async function isWell() {
        const connection = await server.connect();
        assert.equal(await connection.call('PING'), 'PONG');
        connection.destroy();
    }

    // Bytes that look like the protocol here and there.
    function garbage(random) {
        const parts = [];
        for (let i = random.between(1, 40); i > 0; i--) {
            parts.push(random.weighted([
                [4, () => random.bytes(random.below(100))],
                [2, () => `*${random.between(-2, 5)}\r\n`],
                [2, () => `$${random.between(-2, 12)}\r\n`],
                [2, () => random.pick(['XADD', 'XRANGE', 'KEYS', '*', '-', '+', 'x', '0'])],
                [2, () => '\r\n'],
                [1, () => encodeCommand(['XADD', random.bytes(2), '*', random.bytes(3), 'v'])
                    .toString('latin1')],
                [1, () => random.pick(['"', "'", '\\x', '\x00', '*1\r\n$1000000\r\n'])],
            ])());
        }
        return Buffer.from(parts.join(''), 'latin1');
    }

    test('random bytes on 200 connections leave the server well', async (t) => {
        const random = new Random(seedOfRun(t));
        const connections = await Promise.all(
            Array.from({ length: 200 }, () => server.connect()));
        for (const connection of connections) connection.collect();
        for (let round = 0; round < (QUICK ? 5 : 20); round++) {
            for (const connection of connections) connection.write(garbage(random));
            await isWell();
        }
        for (const connection of connections) connection.destroy();
        await isWell();
        assert.ok(residentBytes(server) < 500 * MB, `${residentBytes(server)} bytes resident`);
    });

    test('bits flipped in good commands leave the server well', async (t) => {
        const random = new Random(seedOfRun(t));
        const good = Buffer.concat([['XADD', 'a', '*', 'f', 'v'], ['XRANGE', 'a', '-', '+'],
            ['XREAD', 'COUNT', '2', 'STREAMS', 'a', '0'], ['XINFO', 'STREAM', 'a', 'FULL'],
            ['COPY', 'a', 'b', 'REPLACE'], ['XTRIM', 'a', 'MAXLEN', '~', '10']]
            .map(encodeCommand));
        for (let round = 0; round < (QUICK ? 100 : 600); round++) {
            const bytes = Buffer.from(good);
            for (let i = random.between(1, 4); i > 0; i--) {
                bytes[random.below(bytes.length)] ^= 1 << random.below(8);
            }
            const connection = await server.connect();
            connection.collect();
            connection.write(bytes);
            if (round % 50 === 0) await isWell();
            connection.destroy();
        }
        await isWell();
    });

    // Sends `start`, then `piece` again and again: is the connection closed before 10 MB?
    async function outgrows(start, piece) {
        const connection = await server.connect();
        connection.collect();
        connection.write(start);
        for (let sent = 0; sent < 10 * MB && !connection.isClosed; sent += piece.length) {
            connection.write(piece);
            await delay(5);
        }
        await Promise.race([connection.closed, delay(5000)]);
        assert.ok(connection.isClosed, 'still open after 10 MB with a limit of 1 MB');
        await isWell();
    }

    test('an argument that outgrows the query buffer closes its connection only', () =>
        outgrows('*2\r\n$4\r\nECHO\r\n$100000000\r\n', Buffer.alloc(256 * 1024, 'x')));

    test('arguments that outgrow the query buffer close their connection only', ONLY_WEIR, () =>
        outgrows('*100\r\n$4\r\nPING\r\n',
            Buffer.from(`$262144\r\n${'x'.repeat(262_144)}\r\n`)));

    test('200 connections with half a command each cost little', async () => {
        const before = residentBytes(server);
        const connections = await Promise.all(
            Array.from({ length: 200 }, () => server.connect()));
        for (const connection of connections) {
            connection.write('*2\r\n$4\r\nECHO\r\n$500000000\r\nabc');
        }
        await delay(200);
        await isWell();
        const grown = residentBytes(server) - before;
        assert.ok(grown < 100 * MB, `${grown} bytes for lengths that were only announced`);
        for (const connection of connections) connection.destroy();
        await isWell();
    });

    test('connecting and closing at once 1,000 times leaves the server well', async () => {
        for (let i = 0; i < 1000; i++) (await server.connect()).destroy();
        await isWell();
    });
});
