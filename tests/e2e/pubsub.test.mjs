// Publish and subscribe beside redis-server; messages to several rooms; presence; keyspace events;
// subscribers that do not read.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import test, { before, describe } from 'node:test';
import { delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ReplyError } from './lib/resp.mjs';
import { ONLY_WEIR, QUICK, redis, suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const scope = suiteScope();
let servers;

before(async () => {
    servers = { weir: await weir(scope), redis: await redis(scope) };
});

// Runs a script of [connection number, ...command] on one server and gives what each connection
// received, byte for byte. protocols: one a connection.
//
// A server takes what comes on several connections in the order in which it comes, but for what is
// larger than it reads at once: so two answers on a connection of its own tell that a step is done.
async function play(server, protocols, script) {
    const connections = [];
    for (const protocol of protocols) {
        const connection = await server.connect({ protocol });
        connection.collect();
        connections.push(connection);
    }
    const other = await server.connect();
    for (const [index, ...command] of script) {
        connections[index].send(...command);
        for (let i = 0; i < 2; i++) await other.ok('PING');
    }
    // What was sent is there; a process that was held up runs its timers before it reads.
    for (let i = 0; i < 2; i++) await delay(50);
    return [...connections, other].map((connection) => {
        connection.destroy();
        return Buffer.concat(connection.received).toString('latin1');
    });
}

async function same(protocols, script) {
    const [mine, theirs] = await Promise.all([servers.weir, servers.redis].map((server) =>
        play(server, protocols, script)));
    assert.ok(mine.some((bytes) => bytes.length > 0));
    assert.deepEqual(mine, theirs, JSON.stringify(script));
}

describe('beside redis-server', () => {
    for (const protocol of [2, 3]) {
        test(`confirmations count channels and patterns together, RESP${protocol}`, () =>
            same([protocol], [
                [0, 'SUBSCRIBE', 'a'], [0, 'SUBSCRIBE', 'a', 'b', 'a'], [0, 'PSUBSCRIBE', 'a*'],
                [0, 'SSUBSCRIBE', 'a', 'c'], [0, 'UNSUBSCRIBE', 'x', 'a'], [0, 'PUNSUBSCRIBE'],
                [0, 'PUNSUBSCRIBE'], [0, 'SUNSUBSCRIBE', 'a'], [0, 'SUNSUBSCRIBE'],
                [0, 'SUNSUBSCRIBE'], [0, 'UNSUBSCRIBE'], [0, 'UNSUBSCRIBE'], [0, 'PING', 'x'],
            ]));

        test(`messages reach members, patterns and shards, RESP${protocol}`, () =>
            same([protocol, 2, 3], [
                [0, 'SUBSCRIBE', 'room', ''], [0, 'PSUBSCRIBE', 'r?o*'], [0, 'SSUBSCRIBE', 'room'],
                [2, 'PUBLISH', 'room', 'hello'], [2, 'SPUBLISH', 'room', 'shard'],
                [1, 'PUBLISH', '', ''], [1, 'PUBLISH', 'rxo\r\n\x00\xff', 'a\r\n\x00b'],
                [1, 'PUBLISH', 'other', 'x'], [1, 'SPUBLISH', 'rooms', 'x'],
                [0, 'UNSUBSCRIBE', 'room'], [1, 'PUBLISH', 'room', 'x'.repeat(70000)],
                [1, 'PUBSUB', 'NUMPAT'], [1, 'PUBSUB', 'NUMSUB', 'room', '', 'x'],
                [2, 'PUBSUB', 'SHARDNUMSUB', 'room', 'x'], [2, 'PUBSUB', 'CHANNELS'],
                [2, 'PUBSUB', 'CHANNELS', 'x*'], [2, 'PUBSUB', 'SHARDCHANNELS', 'r*'],
                [1, 'PUBSUB', 'CHANNELS', 'a', 'b'], [1, 'PUBSUB', 'NOSUCH'], [1, 'PUBSUB'],
            ]));
    }

    test('a subscribed RESP2 client may do little else', () => same([2], [
        [0, 'SUBSCRIBE', 'a'], [0, 'ECHO', 'x'], [0, 'PUBLISH', 'a', 'x'], [0, 'HELLO', '3'],
        [0, 'CLIENT', 'ID'], [0, 'NOSUCH'], [0, 'SUBSCRIBE'], [0, 'PING'], [0, 'PING', 'x'],
        [0, 'PING', 'x', 'y'], [0, 'PUBSUB', 'CHANNELS'], [0, 'UNSUBSCRIBE', 'a'], [0, 'ECHO', 'x'],
        [0, 'PSUBSCRIBE', 'a*'], [0, 'ECHO', 'x'], [0, 'RESET'], [0, 'ECHO', 'x'],
        [0, 'SSUBSCRIBE', 'a'], [0, 'ECHO', 'x'], [0, 'QUIT'],
    ]));

    test('CLIENT REPLY hides replies, not messages', () => same([3, 2], [
        [0, 'CLIENT', 'REPLY', 'OFF'], [0, 'SUBSCRIBE', 'a'], [0, 'PING'], [1, 'PUBLISH', 'a', 'x'],
        [0, 'PUBLISH', 'b', 'x'], [0, 'UNSUBSCRIBE'], [0, 'CLIENT', 'REPLY', 'ON'],
        [0, 'CLIENT', 'REPLY', 'SKIP'], [0, 'SUBSCRIBE', 'a'], [0, 'PING'],
    ]));

    test('random sequences', async (t) => {
        const random = new Random(seedOfRun(t));
        const names = ['a', 'b', 'ab', '', 'a*', 'room:1'];
        // One pattern a connection: the order of two is Redis's secret.
        const patterns = ['a*', '*', '?', 'room:[12]'];
        const script = [];
        for (let i = 0; i < (QUICK ? 60 : 400); i++) {
            const index = random.below(4);
            const name = random.pick(names);
            script.push(random.weighted([
                [4, () => [index, 'SUBSCRIBE', name]],
                [3, () => [index, 'UNSUBSCRIBE', name]],
                [2, () => [index, 'SSUBSCRIBE', name]],
                [1, () => [index, 'SUNSUBSCRIBE', name]],
                [2, () => [index, 'PSUBSCRIBE', patterns[index]]],
                [1, () => [index, 'PUNSUBSCRIBE', patterns[index]]],
                [1, () => [index, 'RESET']],
                [8, () => [4, 'PUBLISH', name, `m${i}`]],
                [4, () => [4, 'SPUBLISH', name, `s${i}`]],
                [1, () => [4, 'PUBSUB', 'NUMSUB', ...names]],
                [1, () => [4, 'PUBSUB', 'NUMPAT']],
            ])());
        }
        await same([2, 2, 3, 3, 2], script);
    });
});

describe('order', () => {
    test('a message of one\'s own follows the reply', ONLY_WEIR, async () => {
        const connection = await servers.weir.connect({ protocol: 3 });
        connection.collect();
        connection.send('SUBSCRIBE', 'own');
        connection.send('PUBLISH', 'own', 'x');
        connection.send('PING');
        const received = () => Buffer.concat(connection.received).toString();
        await until(() => received().endsWith('+PONG\r\n'));
        assert.equal(received(), '>3\r\n$9\r\nsubscribe\r\n$3\r\nown\r\n:1\r\n:1\r\n' +
            '>3\r\n$7\r\nmessage\r\n$3\r\nown\r\n$1\r\nx\r\n+PONG\r\n');
        connection.destroy();
    });

    test('many subscribers get all messages of several publishers in order', async () => {
        const subscribers = [];
        for (let i = 0; i < 150; i++) {
            const connection = await servers.weir.connect({ protocol: 3 });
            connection.send('SUBSCRIBE', 'order');
            subscribers.push(connection);
        }
        await until(() => subscribers.every(({ pushes }) => pushes.length >= 1));
        const count = QUICK ? 200 : 2000;
        await Promise.all([0, 1, 2].map(async (who) => {
            const publisher = await servers.weir.connect();
            const answers = await publisher.pipeline(Array.from({ length: count },
                (_, i) => ['PUBLISH', 'order', `${who}:${i}`]));
            assert.ok(answers.every((receivers) => receivers === 150));
            publisher.destroy();
        }));
        for (const { pushes } of subscribers) {
            await until(() => pushes.length >= 1 + 3 * count);
            const next = [0, 0, 0];
            for (const [, , text] of pushes.slice(1)) {
                const [who, i] = text.split(':').map(Number);
                assert.equal(i, next[who]++);
            }
        }
        subscribers.forEach((connection) => connection.destroy());
    });
});

describe('rooms', ONLY_WEIR, () => {
    async function member(name, ...rooms) {
        const connection = await servers.weir.connect({ protocol: 3 });
        connection.id = await connection.ok('CLIENT', 'ID');
        await connection.ok('CLIENT', 'SETNAME', name);
        if (rooms.length) connection.send('SUBSCRIBE', ...rooms);
        await connection.ok('PING');
        connection.pushes.length = 0;
        return connection;
    }

    test('ROOM.PUBLISH reaches each member once, as a message of its first room', async () => {
        const [a, ab, c, abc] = [await member('a', 'ra'), await member('ab', 'ra', 'rb'),
            await member('c', 'rc'), await member('abc', 'ra', 'rb', 'rc')];
        const publisher = await servers.weir.connect();
        const publish = (...args) => publisher.call('ROOM.PUBLISH', ...args);
        assert.equal(await publish('1', 'TO', 'rb', 'ra'), 3);
        assert.equal(await publish('2', 'to', 'ra', 'rb', 'except', 'rc'), 2);
        assert.equal(await publish('3', 'TO', 'ra', 'rc', 'NOT', String(ab.id), '999999'), 3);
        assert.equal(await publish('4', 'TO', 'ra', 'EXCEPT', 'rb', 'nosuch', 'NOT', String(c.id)),
            1);
        assert.equal(await publish('5', 'TO', 'nosuch'), 0);
        assert.equal(await publish('6', 'TO', 'except', 'not'.toUpperCase(), String(a.id)), 0);
        for (const connection of [a, ab, c, abc]) await connection.ok('PING');
        const texts = (connection) => connection.pushes.map(([kind, room, text]) => {
            assert.equal(kind, 'message');
            return `${room}:${text}`;
        });
        assert.deepEqual(texts(a), ['ra:1', 'ra:2', 'ra:3', 'ra:4']);
        assert.deepEqual(texts(ab), ['rb:1', 'ra:2']);
        assert.deepEqual(texts(c), ['rc:3']);
        assert.deepEqual(texts(abc), ['rb:1', 'ra:3']);
        for (const connection of [a, ab, c, abc, publisher]) connection.destroy();
    });

    test('ROOM.MEMBERS, ROOM.COUNT and ROOM.OF tell who is where', async () => {
        const [x, y] = [await member('x', 'm1', 'm2'), await member('y', 'm2')];
        const client = await servers.weir.connect();
        const sorted = async (...args) => (await client.ok(...args)).sort((a, b) => a - b);
        assert.deepEqual(await sorted('ROOM.MEMBERS', 'm1'), [x.id]);
        assert.deepEqual(await sorted('ROOM.MEMBERS', 'm1', 'm2'), [x.id, y.id]);
        assert.deepEqual(await sorted('ROOM.MEMBERS', 'm2', 'm1', 'inter'), [x.id]);
        assert.deepEqual(await sorted('ROOM.MEMBERS', 'm2', 'm1', 'DIFF'), [y.id]);
        assert.deepEqual(await sorted('ROOM.MEMBERS', 'UNION'), []);
        assert.equal(await client.ok('ROOM.COUNT', 'm1', 'm2', 'UNION'), 2);
        assert.equal(await client.ok('ROOM.COUNT', 'm1', 'nosuch', 'INTER'), 0);
        assert.deepEqual((await client.ok('ROOM.OF', String(x.id))).sort(), ['m1', 'm2']);
        assert.equal(await client.ok('ROOM.OF', '99999999'), null);
        for (const connection of [x, y, client]) connection.destroy();
    });

    test('ROOM.WATCH pushes joins and leaves, those of lost connections too', async () => {
        const watcher = await member('watcher');
        watcher.send('ROOM.WATCH', 'w');
        const guest = await member('guest', 'w', 'elsewhere');
        const dying = await member('dying', 'w');
        guest.send('UNSUBSCRIBE', 'elsewhere', 'w');
        await guest.ok('PING');
        dying.destroy();
        await until(() => watcher.pushes.length >= 5);
        watcher.send('ROOM.UNWATCH');
        await until(() => watcher.pushes.length >= 6);
        assert.deepEqual(watcher.pushes, [
            ['room.watch', 'w', 1],
            ['presence', 'w', 'join', String(guest.id), 'guest'],
            ['presence', 'w', 'join', String(dying.id), 'dying'],
            ['presence', 'w', 'leave', String(guest.id), 'guest'],
            ['presence', 'w', 'leave', String(dying.id), 'dying'],
            ['room.unwatch', 'w', 0],
        ]);
        for (const connection of [watcher, guest]) connection.destroy();
    });

    test('wrong arguments get clear errors', async () => {
        const client = await servers.weir.connect();
        for (const args of [['ROOM.PUBLISH', 'x', 'IN', 'a'], ['ROOM.PUBLISH', 'x', 'TO', 'a', 'NOT'],
            ['ROOM.PUBLISH', 'x', 'TO', 'a', 'EXCEPT'], ['ROOM.PUBLISH', 'x', 'TO'],
            ['ROOM.PUBLISH', 'x', 'TO', 'a', 'NOT', 'me'], ['ROOM.OF', 'me'], ['ROOM.MEMBERS'],
            ['ROOM.WATCH']]) {
            assert.match((await client.call(...args)).message,
                /^ERR (syntax error|wrong number of arguments|value is not an integer)/);
        }
        client.destroy();
    });
});

describe('keyspace events', () => {
    test('come as from redis-server', async () => {
        const script = ['XADD k 1 a b', 'XADD k MAXLEN 1 2 a b', 'XTRIM k MAXLEN 0', 'XADD k 5 a b',
            'XDEL k 5', 'XDEL k 5', 'XSETID k 9', 'RENAME k l', 'XADD k 1 a b', 'RENAME k l',
            'COPY l m', 'COPY l m REPLACE', 'DEL l m nosuch', 'XLEN nosuch', 'XADD k 0-* a b',
            'EXISTS nosuch', 'XRANGE nosuch - +', 'RENAMENX k kk', 'UNLINK kk', 'COPY nosuch x',
            'XDEL nosuch 1', 'OBJECT ENCODING nosuch', 'SELECT 2', 'XADD q 1 a b', 'COPY q r DB 0',
            'FLUSHALL'];
        const seen = [];
        for (const server of [servers.weir, servers.redis]) {
            const client = await server.connect();
            await client.ok('CONFIG', 'SET', 'notify-keyspace-events', 'KEAnm');
            const listener = await server.connect({ protocol: 3 });
            listener.send('PSUBSCRIBE', '__key*');
            await listener.ok('PING');
            for (const line of script) await client.call(...line.split(' '));
            await client.ok('CONFIG', 'SET', 'notify-keyspace-events', '');
            await listener.ok('PING');
            seen.push(listener.pushes.map((push) => push.slice(2)));
            for (const connection of [client, listener]) connection.destroy();
        }
        assert.ok(seen[0].length > script.length);
        assert.deepEqual(seen[0], seen[1]);
    });
});

describe('limits', () => {
    async function info(client, name) {
        const text = await client.ok('INFO');
        return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)[1]);
    }

    // A subscriber whose socket is not read.
    async function deaf(server, room) {
        const connection = await server.connect();
        await connection.ok('SUBSCRIBE', room);
        connection.socket.pause();
        return connection;
    }

    test('a subscriber that never reads is closed, and only that one', async (t) => {
        const server = await weir(t, { args: ['--client-output-buffer-limit', 'pubsub 1mb 0 0'] });
        const slow = await deaf(server, 'flood');
        const quick = await server.connect({ protocol: 3 });
        quick.send('SUBSCRIBE', 'flood');
        await quick.ok('PING');
        const publisher = await server.connect();
        let receivers = 2;
        let published = 0;
        while (receivers === 2) {
            receivers = await publisher.ok('PUBLISH', 'flood', 'x'.repeat(100_000));
            published++;
            assert.ok(published < 1000, 'it was never closed');
        }
        await until(() => quick.pushes.length >= 1 + published);
        assert.equal(await publisher.ok('PUBSUB', 'NUMSUB', 'flood').then(([, n]) => n), 1);
        if (ONLY_WEIR.skip) return;
        assert.equal(await info(publisher, 'client_output_buffer_limit_disconnections'), 1);
        assert.ok(await info(publisher, 'message_drops') > 0);
        assert.match(server.process.output, /notice output limit .*limit=hard/);
        slow.socket.resume();
        await slow.closed;
    });

    // That a break begins the time anew is in tests/unit/test_session.c, which has its own clock.
    test('over the soft limit for its seconds it is closed; who reads is not', async (t) => {
        const limits = ['--client-output-buffer-limit', 'pubsub 0 1mb 1'];
        const server = await weir(t, { args: limits });
        const slow = await deaf(server, 'flood');
        const reading = await server.connect();
        await reading.ok('SUBSCRIBE', 'flood');
        const publisher = await server.connect();
        for (let i = 0; i < 120; i++) await publisher.ok('PUBLISH', 'flood', 'x'.repeat(100_000));
        await until(async () => await publisher.ok('PUBLISH', 'flood', 'x') === 1);
        assert.equal(reading.isClosed, false);
        slow.socket.resume();
        await slow.closed;
    });

    test('over the limit of clients new ones are told so, and subscribers are served', async (t) => {
        const server = await weir(t, { args: ['--maxclients', '12'] });
        const subscribers = [];
        for (let i = 0; i < 11; i++) {
            const connection = await server.connect({ protocol: 3 });
            connection.send('SUBSCRIBE', 'full');
            subscribers.push(connection);
        }
        const publisher = await server.connect();
        const refused = await server.connect();
        assert.equal((await refused.next()).value.message, 'ERR max number of clients reached');
        await refused.closed;
        await until(async () => await publisher.ok('PUBLISH', 'full', 'x') === 11);
        await until(() => subscribers.every(({ pushes }) => pushes.at(-1)?.[2] === 'x'));
    });

    test('rooms per connection', ONLY_WEIR, async (t) => {
        const server = await weir(t, { args: ['--rooms-per-connection', '3'] });
        const client = await server.connect({ protocol: 3 });
        client.send('SUBSCRIBE', 'a', 'b');
        client.send('PSUBSCRIBE', 'c*');
        const refused = await client.call('SSUBSCRIBE', 'd');
        assert.match(refused.message, /^ERR more than 3 subscriptions .*rooms-per-connection/);
        client.send('SUBSCRIBE', 'a', 'b');
        client.send('UNSUBSCRIBE', 'a');
        client.send('SSUBSCRIBE', 'd');
        await client.ok('PING');
        assert.deepEqual(client.pushes.map(([kind, , n]) => `${kind} ${n}`), ['subscribe 1',
            'subscribe 2', 'psubscribe 3', 'subscribe 3', 'subscribe 3', 'unsubscribe 2',
            'ssubscribe 1']);
        const half = await client.call('SUBSCRIBE', 'b', 'e');
        assert.ok(half instanceof ReplyError);
        assert.deepEqual(await client.ok('PUBSUB', 'NUMSUB', 'e'), ['e', 0]);
    });

    test('all of very many rooms are left by one command, or with the connection', ONLY_WEIR, async () => {
        const [client, other] = [await servers.weir.connect({ protocol: 3 }),
            await servers.weir.connect()];
        const names = Array.from({ length: 100_000 }, (_, i) => `many:${i}`);
        for (let i = 0; i < names.length; i += 1000) {
            client.send('SUBSCRIBE', ...names.slice(i, i + 1000));
        }
        await client.ok('PING');
        assert.equal((await other.ok('PUBSUB', 'CHANNELS', 'many:*')).length, names.length);
        client.send('UNSUBSCRIBE');
        await client.ok('PING');
        const left = client.pushes.splice(names.length);
        assert.deepEqual(client.pushes.map(([kind, name, count]) => [kind, name, count]).at(-1),
            ['subscribe', names.at(-1), names.length]);
        assert.deepEqual(left.map(([, name]) => name).sort(), names.sort());
        assert.deepEqual(left.map(([kind, , count]) => [kind, count]),
            names.map((_, i) => ['unsubscribe', names.length - 1 - i]));
        assert.deepEqual(await other.ok('PUBSUB', 'CHANNELS', 'many:*'), []);
        client.send('SUBSCRIBE', ...names.slice(0, 1000));
        await client.ok('PING');
        client.destroy();
        await until(async () => (await other.ok('PUBSUB', 'CHANNELS', 'many:*')).length === 0,
            'rooms of a connection that is gone');
        other.destroy();
    });

    test('names of no bytes and of the most', ONLY_WEIR, async () => {
        const client = await servers.weir.connect({ protocol: 3 });
        const longest = 'n'.repeat(2 * 1024 * 1024 + 64);
        client.send('SUBSCRIBE', '', longest);
        assert.equal(await client.ok('PUBLISH', longest, 'x'), 1);
        assert.equal(await client.ok('PUBLISH', `${longest}n`, 'x'), 0);
        assert.equal((await client.call('SUBSCRIBE', `${longest}n`)).message,
            'ERR the name is longer than 2097216 bytes');
        assert.deepEqual(client.pushes.map(([kind, name]) => [kind, name.length]),
            [['subscribe', 0], ['subscribe', longest.length], ['message', longest.length]]);
        client.destroy();
    });

    test('CLIENT LIST and INFO tell subscriptions and deliveries', ONLY_WEIR, async (t) => {
        const server = await weir(t);
        const client = await server.connect({ protocol: 3 });
        client.send('SUBSCRIBE', 'a', 'b');
        client.send('PSUBSCRIBE', 'a*');
        client.send('SSUBSCRIBE', 's');
        client.send('ROOM.WATCH', 'a');
        assert.equal(await client.ok('PUBLISH', 'a', 'x'), 2);
        const line = await client.ok('CLIENT', 'LIST', 'TYPE', 'pubsub');
        assert.match(line, / flags=P db=0 sub=2 psub=1 ssub=1 .* deliveries=2\n$/);
        for (const [name, value] of Object.entries({ pubsub_channels: 2, pubsub_patterns: 1,
            pubsubshard_channels: 1, pubsub_clients: 1, room_subscriptions: 5, rooms_watched: 1,
            messages_published: 1, message_deliveries: 2, message_drops: 0 })) {
            assert.equal(await info(client, name), value, name);
        }
    });
});

describe('many connections', () => {
    // As many as the system lets this process open, up to ten thousand.
    const OPEN_FILES = Number(/^Max open files +(\d+)/m.exec(
        fs.readFileSync('/proc/self/limits', 'utf8'))[1]);
    const COUNT = QUICK ? 500 : Math.min(10_000, OPEN_FILES - 200);

    test('all leave at once in the middle of a fan-out', async (t) => {
        const server = await weir(t, { args: ['--maxclients', '10100'] });
        const publisher = await server.connect();
        const watcher = await server.connect({ protocol: 3 });
        const connections = [];
        while (connections.length < COUNT) {
            const more = Math.min(200, COUNT - connections.length); // less than the backlog
            connections.push(...await Promise.all(Array.from({ length: more }, () =>
                server.connect())));
        }
        connections.forEach((connection, i) =>
            connection.send('SUBSCRIBE', 'all', `few:${i % 100}`, `own:${i}`));
        await until(async () => (await publisher.ok('PUBSUB', 'NUMSUB', `own:${COUNT - 1}`))[1] > 0);
        publisher.write(Buffer.concat(Array.from({ length: 50 }, (_, i) => Buffer.from(
            `PUBLISH all message:${i}\r\n`))));
        connections.forEach((connection) => connection.destroy());
        for (let i = 0; i < 50; i++) await publisher.next();
        await until(async () => (await watcher.ok('PUBSUB', 'CHANNELS')).length === 0,
            'rooms of connections that are gone', 30_000);
        assert.equal(await publisher.ok('PUBLISH', 'all', 'x'), 0);
        if (ONLY_WEIR.skip) return;
        assert.match(await publisher.ok('INFO', 'weir'), /room_subscriptions:0\r\n/);
    });
});
