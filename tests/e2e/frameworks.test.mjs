// Frameworks that carry messages between servers: socket.io with its three Redis adapters on two
// client libraries, and clients that subscribe again after a restart.

import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import test, { before, describe } from 'node:test';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import Redis from 'ioredis';
import { nodeRedis } from './lib/clients.mjs';
import { Server as SocketServer } from 'socket.io';
import { io as connectSocket } from 'socket.io-client';
import { delay } from './lib/connection.mjs';
import { suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';


const scope = suiteScope();
let server;

before(async () => {
    server = await weir(scope);
});

function ioRedis(port, protocol) {
    const client = new Redis(port, '127.0.0.1', { protocol, retryStrategy: () => 50 });
    client.on('error', () => {});
    return client;
}

// Waits for the replies to what was sent, as both libraries do when they are asked to.
function quit(client) {
    return client instanceof Redis ? client.quit() : client.close();
}

const LIBRARIES = {
    'node-redis, RESP2': () => nodeRedis(server.port, { RESP: 2 }),
    'node-redis, RESP3': () => nodeRedis(server.port),
    'ioredis, RESP2': () => ioRedis(server.port, 2),
    'ioredis, RESP3': () => ioRedis(server.port, 3),
};
// Each by a name of its own, since what the adapters send is for all who share it.
const ADAPTERS = {
    classic: (name, ...clients) => createAdapter(...clients, { key: name }),
    sharded: (name, ...clients) => createShardedAdapter(...clients, { channelPrefix: name }),
    streams: (name, client) => createStreamsAdapter(client, {
        streamName: feedOf(name), channelPrefix: name, sessionKeyPrefix: `session of ${name} `,
    }),
};

function feedOf(name) {
    return `feed of ${name}`;
}

// The streams adapter reads from the feed's end on, once it has a connection: until then it misses
// what is sent.
async function feedIsRead(readers) {
    const asking = await server.connect();
    await until(async () => (await asking.ok('INFO', 'clients'))
        .includes(`blocked_clients:${readers}\r`), `${readers} servers wait for entries`);
    asking.destroy();
}

// Its readers see that they are to end when their waiting ends.
async function wakeReaders(name) {
    const writer = await server.connect();
    await writer.ok('XADD', feedOf(name), '*', 'to', 'nobody');
    writer.destroy();
}

// One socket.io server, as each of several machines runs it. `clients` end after it.
async function socketServer(t, adapter, clients, options) {
    const listener = http.createServer();
    const io = new SocketServer(listener, { adapter, ...options });
    io.on('connection', (socket) => {
        socket.on('join', (room, done) => Promise.resolve(socket.join(room)).then(() => done()));
        socket.on('leave', (room, done) => Promise.resolve(socket.leave(room)).then(() => done()));
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    t.after(async () => {
        await io.close();
        await Promise.all(clients.map(quit));
    });
    return { io, url: `http://127.0.0.1:${listener.address().port}` };
}

// A browser, so to say; remembers what it was told.
async function visitor(t, { url }, ...rooms) {
    const socket = connectSocket(url, { transports: ['websocket'], reconnection: false });
    socket.heard = [];
    socket.on('news', (text) => socket.heard.push(text));
    t.after(() => socket.disconnect());
    await once(socket, 'connect');
    for (const room of rooms) await socket.emitWithAck('join', room);
    return socket;
}

// A visitor's session is kept when its server has seen it go.
async function hasSession(name) {
    const probe = await server.connect();
    const names = await probe.ok('KEYS', `session of ${name} *`);
    probe.destroy();
    return names.length > 0;
}

// The network fails; the next connection will be to `next`.
async function leaveFor(socket, next) {
    socket.io.uri = next.url;
    socket.io.reconnectionDelay(10);
    socket.io.engine.close();
    if (socket.connected) await once(socket, 'disconnect');
}

for (const [kind, adapter] of Object.entries(ADAPTERS)) {
    for (const [library, client] of Object.entries(LIBRARIES)) {
        describe(`socket.io, ${kind} adapter, ${library}`, () => {
            let one, two;

            async function start(t, options) {
                const machine = async () => {
                    const clients = [await client(), await client()];
                    return socketServer(t, adapter(library, ...clients), clients, options);
                };
                [one, two] = [await machine(), await machine()];
                await until(async () => (await one.io.of('/').adapter.serverCount()) === 2 &&
                    (await two.io.of('/').adapter.serverCount()) === 2, 'two servers');
                if (kind !== 'streams') return;
                t.after(() => wakeReaders(library));
                await feedIsRead(2);
            }

            test('rooms reach over servers, and exceptions hold', async (t) => {
                await start(t);
                const a = await visitor(t, one, 'red');
                const b = await visitor(t, two, 'red', 'blue');
                const c = await visitor(t, two, 'blue');
                await delay(100);
                one.io.emit('news', 'all');
                one.io.to('red').emit('news', 'red');
                two.io.to('red').except('blue').emit('news', 'red, not blue');
                one.io.to('red').to('blue').emit('news', 'once');
                one.io.to('blue').emit('news', 'blue');
                await until(() => a.heard.length >= 4 && b.heard.length >= 4 &&
                    c.heard.length >= 3, 'all news');
                await delay(50);
                assert.deepEqual(a.heard.sort(), ['all', 'once', 'red', 'red, not blue']);
                assert.deepEqual(b.heard.sort(), ['all', 'blue', 'once', 'red']);
                assert.deepEqual(c.heard.sort(), ['all', 'blue', 'once']);
            });

            test('fetchSockets, moves and disconnects see both servers', async (t) => {
                await start(t);
                const a = await visitor(t, one, 'here');
                const b = await visitor(t, two, 'here');
                await visitor(t, two);
                const ids = async (room) =>
                    (await one.io.in(room).fetchSockets()).map(({ id }) => id).sort();
                assert.equal((await one.io.fetchSockets()).length, 3);
                assert.deepEqual(await ids('here'), [a.id, b.id].sort());
                one.io.in(b.id).socketsJoin('there');
                await until(async () => (await ids('there')).length === 1, 'joined from afar');
                const gone = once(b, 'disconnect');
                one.io.in('there').disconnectSockets();
                await gone;
                await until(async () => (await ids('here')).length === 1, 'left by a disconnect');
                assert.deepEqual(await ids('there'), []);
            });

            test('servers talk to each other', async (t) => {
                await start(t);
                two.io.on('question', (text, answer) => answer(`${text}!`));
                const answers = await one.io.serverSideEmitWithAck('question', 'well');
                assert.deepEqual(answers, ['well!']);
            });

            if (kind !== 'streams') return;
            test('who comes back, to any server, hears what he missed', async (t) => {
                await start(t, { connectionStateRecovery: {} });
                const a = await visitor(t, one, 'red');
                one.io.emit('news', 'before');
                await until(() => a.heard.length === 1, 'what was sent before');
                const { id } = a;
                await leaveFor(a, two);
                await until(() => hasSession(library), 'the session that is kept');
                one.io.to('red').emit('news', 'missed');
                two.io.to('blue').emit('news', 'not for him');
                two.io.except('red').emit('news', 'nor this');
                two.io.to('red').emit('news', Buffer.from('bytes'));
                a.io.reconnect();
                await once(a, 'connect');
                assert.ok(a.recovered && a.id === id);
                one.io.to('red').emit('news', 'after');
                await until(() => a.heard.length >= 4, 'all that he missed');
                assert.deepEqual(a.heard.map(String), ['before', 'missed', 'bytes', 'after']);
            });
        });
    }
}

describe('after a restart of the server', () => {
    for (const protocol of [2, 3]) {
        test(`node-redis subscribes again, RESP${protocol}`, async (t) => {
            const own = await weir(t);
            const heard = [];
            const subscriber = await nodeRedis(own.port, { RESP: protocol });
            t.after(() => subscriber.destroy());
            await subscriber.subscribe('channel', (text) => heard.push(text));
            await subscriber.pSubscribe('pat*', (text) => heard.push(text));
            await subscriber.sSubscribe('shard', (text) => heard.push(text));
            await publishAfterRestart(own, () => heard);
        });

        test(`ioredis subscribes again, RESP${protocol}`, async (t) => {
            const own = await weir(t);
            const heard = [];
            const subscriber = ioRedis(own.port, protocol);
            t.after(() => subscriber.disconnect());
            subscriber.on('message', (channel, text) => heard.push(text));
            subscriber.on('pmessage', (pattern, channel, text) => heard.push(text));
            subscriber.on('smessage', (channel, text) => heard.push(text));
            await subscriber.subscribe('channel');
            await subscriber.psubscribe('pat*');
            await subscriber.ssubscribe('shard');
            await publishAfterRestart(own, () => heard);
        });
    }

    async function publishAfterRestart(own, heard) {
        for (const signal of ['SIGKILL', 'SIGTERM']) {
            await own.restart(signal);
            const publisher = await own.connect();
            for (const [command, channel] of [['PUBLISH', 'channel'], ['PUBLISH', 'pattern'],
                ['SPUBLISH', 'shard']]) {
                await until(async () => (await publisher.ok(command, channel,
                    `${signal} ${channel}`)) === 1, `${channel} has its subscriber again`);
                await until(() => heard().includes(`${signal} ${channel}`), `${channel} is heard`);
            }
            publisher.destroy();
        }
    }
});
