"""What applications do with Django's caches over redis-py, and with redis-py alone.

Usage: django_caches.py PORT PREFIX, where all keys begin with PREFIX and a colon. Django has a
Redis cache of its own since 4.0; django-redis is tried with any Django. Run by caches.test.mjs.
"""

import sys
import threading
import time
import unittest

import django
import redis
from django.conf import settings

PORT = int(sys.argv[1])
PREFIX = sys.argv[2]
LOCATION = f"redis://127.0.0.1:{PORT}/1"
WAIT_S_MAX = 10

BACKENDS = {"django_redis": "django_redis.cache.RedisCache"}
if django.VERSION >= (4, 0):
    BACKENDS["django"] = "django.core.cache.backends.redis.RedisCache"

settings.configure(
    SECRET_KEY="no secret",
    USE_TZ=True,
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    CACHES={
        **{
            name: {"BACKEND": backend, "LOCATION": LOCATION, "KEY_PREFIX": PREFIX}
            for name, backend in BACKENDS.items()
        },
        "default": {
            "BACKEND": BACKENDS["django_redis"],
            "LOCATION": LOCATION,
            "KEY_PREFIX": f"{PREFIX}:session",
        },
    },
)
django.setup()

# These ask for the settings when they are imported.
from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.core.cache import caches  # noqa: E402


def wait_until(condition):
    until = time.monotonic() + WAIT_S_MAX
    while not condition():
        assert time.monotonic() < until, "never"
        time.sleep(0.02)


class AnyCache:
    """Of each backend, under the name that `name` gives."""

    def setUp(self):
        self.cache = caches[self.name]
        self.cache.clear()

    def test_values_come_back_as_they_were(self):
        values = {
            "text": "grüße\0\r\n",
            "bytes": bytes(range(256)),
            "number": 7,
            "list": [1, {"a": None}],
            "large": "x" * 1_000_000,
            "empty": "",
            "false": False,
        }
        for key, value in values.items():
            self.cache.set(key, value)
        for key, value in values.items():
            self.assertEqual(self.cache.get(key), value)
        self.assertEqual(self.cache.get_many([*values, "nosuch"]), values)
        self.assertIsNone(self.cache.get("nosuch"))
        self.assertEqual(self.cache.get("nosuch", 5), 5)

    def test_add_sets_only_what_is_not_there(self):
        self.assertTrue(self.cache.add("key", 1))
        self.assertFalse(self.cache.add("key", 2))
        self.assertEqual(self.cache.get("key"), 1)
        self.assertEqual(self.cache.get_or_set("key", lambda: 3), 1)
        self.assertEqual(self.cache.get_or_set("other", lambda: 3), 3)

    def test_deleted_keys_are_gone(self):
        self.cache.set_many({"a": 1, "b": 2, "c": 3})
        self.assertTrue(self.cache.delete("a"))
        self.assertFalse(self.cache.delete("a"))
        self.assertIn("b", self.cache)
        self.cache.delete_many(["b", "c", "nosuch"])
        self.assertFalse(self.cache.has_key("b"))
        self.cache.set("d", 4)
        self.cache.clear()
        self.assertIsNone(self.cache.get("d"))

    def test_counters_count(self):
        self.cache.set("hits", 5)
        self.assertEqual(self.cache.incr("hits"), 6)
        self.assertEqual(self.cache.incr("hits", 10), 16)
        self.assertEqual(self.cache.decr("hits", 6), 10)
        self.assertEqual(self.cache.get("hits"), 10)
        # django-redis asks with a script, and has another way, which raises TypeError.
        with self.assertRaises((ValueError, TypeError)):
            self.cache.incr("nosuch")

    def test_time_passes(self):
        self.cache.set("short", 1, timeout=1)
        self.cache.set("long", 1, timeout=100)
        self.cache.set("touched", 1, timeout=1)
        self.cache.set("forever", 1, timeout=None)
        self.cache.set("never", 1, timeout=0)
        self.cache.set_many({"many": 1}, timeout=1)
        self.assertTrue(self.cache.touch("touched", 100))
        self.assertFalse(self.cache.touch("nosuch", 100))
        self.assertIsNone(self.cache.get("never"))
        self.assertEqual(self.cache.get("short"), 1)
        wait_until(lambda: not self.cache.get_many(["short", "many"]))
        self.assertEqual(self.cache.get_many(["long", "touched", "forever"]).keys(),
                         {"long", "touched", "forever"})

    def test_versions_are_apart(self):
        self.cache.set("key", "one", version=1)
        self.cache.set("key", "two", version=2)
        self.assertEqual(self.cache.get("key", version=1), "one")
        self.assertEqual(self.cache.incr_version("key", version=2), 3)
        self.assertEqual(self.cache.get("key", version=3), "two")
        self.assertIsNone(self.cache.get("key", version=2))


class DjangoRedis(AnyCache, unittest.TestCase):
    name = "django_redis"

    def test_patterns_find_keys(self):
        self.cache.set_many({f"user:{i}": i for i in range(50)})
        self.cache.set("other", 1)
        users = {f"user:{i}" for i in range(50)}
        self.assertEqual(set(self.cache.iter_keys("user:*")), users)
        self.assertEqual(set(self.cache.keys("user:*")), users)
        self.assertEqual(self.cache.delete_pattern("user:*"), 50)
        self.assertEqual(self.cache.keys("*"), ["other"])

    def test_times_to_live_are_told(self):
        self.cache.set("key", 1, timeout=100)
        self.assertIn(self.cache.ttl("key"), (99, 100))
        self.assertTrue(98_000 < self.cache.pttl("key") <= 100_000)
        self.cache.persist("key")
        self.assertIsNone(self.cache.ttl("key"))
        self.cache.expire("key", 50)
        self.assertIn(self.cache.ttl("key"), (49, 50))
        self.assertEqual(self.cache.ttl("nosuch"), 0)
        self.assertTrue(self.cache.set("key", 2, timeout=100, xx=True))
        self.assertFalse(self.cache.set("nosuch", 2, xx=True))


class Session(unittest.TestCase):
    def test_sessions_live_until_their_end(self):
        session = SessionStore()
        session["user"] = {"id": 7, "cart": ["a", "b"]}
        session.save()
        again = SessionStore(session.session_key)
        self.assertEqual(again["user"], {"id": 7, "cart": ["a", "b"]})
        again["user"]["cart"].append("c")
        again.set_expiry(1)
        again.save()
        self.assertEqual(SessionStore(session.session_key)["user"]["cart"], ["a", "b", "c"])
        old = again.session_key
        again.cycle_key()
        self.assertFalse(SessionStore().exists(old))
        self.assertTrue(SessionStore().exists(again.session_key))
        wait_until(lambda: not SessionStore().exists(again.session_key))
        self.assertNotIn("user", SessionStore(again.session_key))


if "django" in BACKENDS:
    class DjangoOwn(AnyCache, unittest.TestCase):
        name = "django"


class RedisPy(unittest.TestCase):
    def setUp(self):
        self.redis = redis.Redis(port=PORT, db=2)
        self.redis.flushdb()
        self.addCleanup(self.redis.close)

    def key(self, name):
        return f"{PREFIX}:{name}"

    def test_the_calls_of_djangos_own_cache(self):
        a, b, counter = self.key("a"), self.key("b"), self.key("counter")
        self.assertTrue(self.redis.set(a, b"1", ex=300, nx=True))
        self.assertIsNone(self.redis.set(a, b"2", ex=300, nx=True))
        pipeline = self.redis.pipeline()
        pipeline.mset({a: b"1", b: b"2"})
        for key in (a, b):
            pipeline.expire(key, 300)
        self.assertEqual(pipeline.execute(), [True, True, True])
        self.assertEqual(self.redis.mget([a, self.key("nosuch"), b]), [b"1", None, b"2"])
        self.assertTrue(self.redis.persist(a))
        self.assertEqual((self.redis.ttl(a), self.redis.ttl(b)), (-1, 300))
        self.redis.set(counter, 5)
        self.assertEqual(self.redis.incr(counter, -7), -2)
        self.assertTrue(self.redis.exists(counter))
        self.assertEqual(self.redis.delete(a, b, counter, a), 3)

    def test_a_watched_counter_is_never_overtaken(self):
        key = self.key("watched")

        def count():
            own = redis.Redis(port=PORT, db=2)
            for _ in range(20):
                own.transaction(
                    lambda pipeline: self.increment(pipeline, key), key)
            own.close()

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.redis.get(key), b"80")

    @staticmethod
    def increment(pipeline, key):
        value = int(pipeline.get(key) or 0)
        pipeline.multi()
        pipeline.set(key, value + 1)

    def test_hashes_hold_sessions(self):
        key = self.key("session")
        self.assertEqual(self.redis.hset(key, mapping={"user": "7", "hits": 0}), 2)
        self.assertTrue(self.redis.expire(key, 100))
        self.assertEqual(self.redis.hincrby(key, "hits", 3), 3)
        self.assertEqual(self.redis.hgetall(key), {b"user": b"7", b"hits": b"3"})
        self.assertEqual(self.redis.hmget(key, "user", "nosuch"), [b"7", None])
        self.assertEqual(self.redis.hdel(key, "user", "nosuch"), 1)
        self.assertEqual(dict(self.redis.hscan_iter(key)), {b"hits": b"3"})
        self.assertIn(self.redis.ttl(key), (99, 100))

    def test_values_are_taken_and_renewed(self):
        key = self.key("value")
        self.redis.setex(key, 100, "a")
        self.assertEqual(self.redis.getex(key, px=5000), b"a")
        self.assertTrue(0 < self.redis.pttl(key) <= 5000)
        self.redis.set(key, "b", keepttl=True)
        self.assertTrue(0 < self.redis.pttl(key) <= 5000)
        self.assertEqual(self.redis.set(key, "c", get=True), b"b")
        self.assertEqual(self.redis.ttl(key), -1)
        self.assertEqual(self.redis.getdel(key), b"c")
        self.assertIsNone(self.redis.get(key))
        self.assertEqual(self.redis.incrbyfloat(self.key("float"), 1.5), 1.5)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
