// Connections that pipeline, stop in the middle, do not read, or come by hand.

import assert from 'node:assert/strict';
import net from 'node:net';
import test, { before, describe } from 'node:test';
import { delay } from './lib/connection.mjs';
import { ReplyError, asMap, encodeCommand } from './lib/resp.mjs';
import { ONLY_WEIR, QUICK, residentBytes, suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const MB = 1024 * 1024;

const scope = suiteScope();
let server;

before(async () => {
    server = await weir(scope);
});

function open(t, protocol = 2) {
    const opened = server.connect({ protocol });
    t.after(async () => (await opened).destroy());
    return opened;
}

describe('pipelines', () => {
    test('10,000 commands at once are answered in order', async (t) => {
        const connection = await open(t);
        const replies = await connection.pipeline(Array.from({ length: 10_000 },
            (_, i) => ['XADD', `pipe:${i % 7}`, `${i + 1}-0`, 'i', String(i)]));
        replies.forEach((reply, i) => assert.equal(reply, `${i + 1}-0`));
    });

    test('reads in a pipeline see the writes before them', async (t) => {
        const connection = await open(t);
        const commands = [];
        for (let i = 1; i <= 500; i++) {
            commands.push(['XADD', 'mixed', `${i}-0`, 'f', 'v'], ['XLEN', 'mixed'],
                ['XREVRANGE', 'mixed', '+', '-', 'COUNT', '1'], ['NOSUCH'],
                ['XDEL', 'mixed', '1-0']);
        }
        const replies = await connection.pipeline(commands);
        for (let i = 1; i <= 500; i++) {
            const [id, length, entries, error, deleted] = replies.slice((i - 1) * 5, i * 5);
            assert.equal(id, `${i}-0`);
            assert.equal(length, i === 1 ? 1 : i - 1);
            assert.equal(entries[0][0], `${i}-0`);
            assert.ok(error instanceof ReplyError);
            assert.equal(deleted, i === 1 ? 1 : 0);
        }
    });

    test('what one connection was told, another sees', async (t) => {
        const [writer, reader] = [await open(t), await open(t)];
        for (let i = 1; i <= 300; i++) {
            await writer.ok('XADD', 'told', `${i}-0`, 'f', 'v');
            assert.equal(await reader.ok('XLEN', 'told'), i);
        }
    });
});

describe('a connection that ends early', () => {
    test('in the middle of a command does nothing', async (t) => {
        const command = encodeCommand(['XADD', 'half', '*', 'field', 'value']);
        for (let length = 1; length < command.length; length++) {
            const connection = await open(t);
            connection.write(command.subarray(0, length));
            connection.socket.end();
            await connection.closed;
        }
        const connection = await open(t);
        assert.equal(await connection.ok('EXISTS', 'half'), 0);
    });

    test('behind a whole command has it done', async (t) => {
        const connection = await open(t);
        const reply = connection.exchange(['XADD', 'whole', '1-1', 'f', 'v']);
        await reply;
        connection.send('XADD', 'whole', '1-2', 'f', 'v');
        connection.socket.destroySoon();
        await connection.closed;
        const other = await open(t);
        await until(async () => await other.ok('XLEN', 'whole') === 2);
    });

    test('with replies on their way leaves the others alone', async (t) => {
        const connection = await open(t);
        await connection.pipeline(Array.from({ length: 200 },
            (_, i) => ['XADD', 'leaving', `${i + 1}-0`, 'f', 'v'.repeat(5000)]));
        for (let i = 0; i < 50; i++) {
            const reader = await open(t);
            reader.send('XRANGE', 'leaving', '-', '+');
            reader.socket.resetAndDestroy();
        }
        assert.equal(await (await open(t)).call('PING'), 'PONG');
    });
});

describe('a slow reader', () => {
    const ENTRIES = 3000;
    const VALUE = 'v'.repeat(10_000);

    test('of a huge reply does not disturb others, and gets all of it', async (t) => {
        const writer = await open(t);
        for (let i = 0; i < ENTRIES; i += 100) {
            await writer.pipeline(Array.from({ length: 100 },
                (_, j) => ['XADD', 'huge', `${i + j + 1}-0`, 'v', VALUE]));
        }
        const socket = net.connect({ port: server.port, host: '127.0.0.1' });
        t.after(() => socket.destroy());
        socket.write(encodeCommand(['XRANGE', 'huge', '-', '+']));
        socket.pause();
        for (let i = 0; i < 200; i++) await writer.ok('XADD', 'other', '*', 'f', 'v');
        const expected = ENTRIES * VALUE.length;
        let received = 0;
        socket.on('data', (piece) => { received += piece.length; });
        socket.resume();
        await until(() => received > expected, 'all of the reply', 60_000);
    });

    test('that asks on and on without reading is bounded in memory', ONLY_WEIR, async (t) => {
        const writer = await open(t);
        const before = residentBytes(server);
        await writer.ok('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 64mb 0 0');
        const socket = net.connect({ port: server.port, host: '127.0.0.1' });
        t.after(() => socket.destroy());
        socket.on('error', () => {});
        socket.pause();
        for (let i = 0; i < 100; i++) socket.write(encodeCommand(['XRANGE', 'huge', '-', '+']));
        for (let i = 0; i < 20; i++) {
            await delay(50);
            assert.equal(await writer.call('PING'), 'PONG');
        }
        const grown = residentBytes(server) - before;
        assert.ok(grown < (QUICK ? 1000 : 300) * MB, `${grown} bytes more`);
    });
});

describe('by hand', () => {
    test('inline commands with blanks, quotes and either line end', async (t) => {
        const connection = await open(t);
        for (const [line, reply] of [
            ['PING\r\n', 'PONG'], ['ping\n', 'PONG'], ['  XADD   line 1-1 f "a b"  \r\n', '1-1'],
            ["XADD line 1-2 f 'c d'\n", '1-2'], ['XADD line 1-3 f "\\x00\\r\\n"\r\n', '1-3'],
            ['XLEN line\r\n', 3], ['SELECT 1\n', 'OK'],
        ]) {
            connection.write(line);
            assert.equal((await connection.next()).value, reply, line);
        }
        await connection.ok('SELECT', '0');
        const entries = await connection.ok('XRANGE', 'line', '-', '+');
        assert.deepEqual(entries.map(([, fields]) => fields[1]), ['a b', 'c d', '\x00\r\n']);
    });
});

describe('the conversation', () => {
    test('HELLO tells server, version, protocol and id', async (t) => {
        const connection = await open(t);
        const two = await connection.ok('HELLO');
        assert.ok(Array.isArray(two));
        const three = await connection.ok('HELLO', '3', 'SETNAME', 'me');
        assert.deepEqual([...three.keys()],
            ['server', 'version', 'proto', 'id', 'mode', 'role', 'modules']);
        assert.equal(three.get('proto'), 3);
        assert.equal(three.get('server'), 'redis');
        assert.match(three.get('version'), /^7\./);
        assert.equal(await connection.ok('CLIENT', 'GETNAME'), 'me');
        assert.equal(three.get('id'), await connection.ok('CLIENT', 'ID'));
        assert.equal((await connection.call('HELLO', '4')).message,
            'NOPROTO unsupported protocol version');
        assert.equal(asMap(await connection.ok('HELLO', '2')).get('proto'), 2);
        assert.ok(Array.isArray(await connection.ok('CONFIG', 'GET', 'maxclients')));
    });

    test('RESET brings back RESP2, database 0 and no name', async (t) => {
        const connection = await open(t, 3);
        await connection.ok('CLIENT', 'SETNAME', 'me');
        await connection.ok('SELECT', '4');
        assert.equal(await connection.ok('RESET'), 'RESET');
        assert.match(await connection.ok('CLIENT', 'INFO'), / name= .* db=0 /);
        assert.ok(Array.isArray(await connection.ok('CONFIG', 'GET', 'maxclients')));
    });

    test('CLIENT LIST, KILL, REPLY, SETINFO and PAUSE do as they say', async (t) => {
        const [one, other] = [await open(t), await open(t)];
        await other.ok('CLIENT', 'SETNAME', 'victim');
        const line = (await one.ok('CLIENT', 'LIST')).split('\n')
            .find((text) => text.includes('name=victim'));
        const id = /^id=(\d+) addr=127\.0\.0\.1:\d+ /.exec(line)[1];
        assert.equal(await one.ok('CLIENT', 'KILL', 'ID', id), 1);
        await other.closed;
        one.send('CLIENT', 'REPLY', 'SKIP');
        one.send('PING', 'not seen');
        assert.equal(await one.call('PING', 'seen'), 'seen');
        one.send('CLIENT', 'REPLY', 'OFF');
        one.send('PING', 'not seen');
        assert.equal(await one.call('CLIENT', 'REPLY', 'ON'), 'OK');
        const since = Date.now();
        await one.ok('CLIENT', 'PAUSE', '100', 'WRITE');
        await one.ok('XADD', 'paused', '*', 'f', 'v');
        assert.ok(Date.now() - since >= 95);
    });

    test('CLIENT SETINFO is kept', ONLY_WEIR, async (t) => {
        const connection = await open(t);
        await connection.ok('CLIENT', 'SETINFO', 'LIB-NAME', 'mine');
        await connection.ok('CLIENT', 'SETINFO', 'lib-ver', '1.2');
        assert.match(await connection.ok('CLIENT', 'INFO'), /lib-name=mine lib-ver=1\.2/);
    });

    test('what a single server has not got is told so', async (t) => {
        const connection = await open(t);
        assert.equal((await connection.call('CLUSTER', 'INFO')).message,
            'ERR This instance has cluster support disabled');
        assert.deepEqual((await connection.ok('ROLE'))[0], 'master');
        assert.equal((await connection.call('CLIENT', 'MAINT_NOTIFICATIONS', 'ON')).message,
            "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.");
        assert.equal(await connection.ok('WAIT', '0', '10'), 0);
        assert.equal((await connection.ok('TIME')).length, 2);
        assert.ok(await connection.ok('LASTSAVE') > 0);
    });
});
