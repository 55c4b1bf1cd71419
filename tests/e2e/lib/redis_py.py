"""redis-py, as people use it for transactions: run by caching_clients.test.mjs with a port."""
import sys
import threading

import redis

PORT = int(sys.argv[1])
THREADS = 4
ROUNDS = 50


def client():
    return redis.Redis(port=PORT, decode_responses=True)


def transactions():
    r = client()
    with r.pipeline(transaction=True) as pipe:
        replies = pipe.xadd("py", {"f": "v"}, id="1-1").xlen("py").xrange("py").execute()
    assert replies == ["1-1", 1, [("1-1", {"f": "v"})]], replies
    with r.pipeline(transaction=False) as pipe:
        assert pipe.xlen("py").exists("py", "nosuch").execute() == [1, 1]
    with r.pipeline() as pipe:
        pipe.xadd("py", {"f": "v"}, id="1-1").xlen("py")
        replies = pipe.execute(raise_on_error=False)
    assert isinstance(replies[0], redis.ResponseError), replies
    assert replies[1] == 1, replies
    try:
        r.pipeline().execute_command("NOSUCH").xlen("py").execute()
        raise AssertionError("a transaction with an unknown command ran")
    except redis.ResponseError as error:
        assert "unknown command" in str(error), error


def watching():
    r = client()
    with r.pipeline() as pipe:
        pipe.watch("py:watched")
        client().xadd("py:watched", {"f": "v"})
        pipe.multi()
        pipe.xadd("py:watched", {"f": "w"})
        try:
            pipe.execute()
            raise AssertionError("a watched key had changed")
        except redis.WatchError:
            pass
    assert r.xlen("py:watched") == 1


def count_up(key):
    r = client()

    def add(pipe):
        last = pipe.xrevrange(key, count=1)
        number = int(last[0][1]["n"]) if last else 0
        pipe.multi()
        pipe.xadd(key, {"n": number + 1})

    for _ in range(ROUNDS):
        r.transaction(add, key)


def optimistic_locks():
    threads = [threading.Thread(target=count_up, args=("py:count",)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [int(fields["n"]) for _, fields in client().xrange("py:count")]
    assert numbers == list(range(1, THREADS * ROUNDS + 1)), numbers


transactions()
watching()
optimistic_locks()
