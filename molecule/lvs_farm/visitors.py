"""The farm's visitors, run on the client machine. Prints one JSON object at the end.

count ADDRESS N: N fetches, one after the other, each on a connection of its own.
hold ADDRESS N: N connections that stay open, with a fetch on each every two seconds,
    until a line comes on standard input.
burst ADDRESS N TIMES: N connections that stay open, on all of which a fetch begins at the same instant, TIMES times.
load ADDRESS CLIENTS RATE: CLIENTS visitors who make RATE new connections a second together (0: as many as they can),
    until a line comes on standard input.
gap ADDRESS: a fetch on a new connection ten times a second, within half a second, until a line comes on standard input.
"""

import asyncio
import collections
import json
import sys
import time

SILENCE_TIMEOUT = 60.0  # seconds that a held connection may be silent: longer than any takeover
REQUEST = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"


def server_of(page):
    """Return the machine that served a page; "sorry" for the maintenance page, "?" for any other."""
    if "Served by " in page:
        return page.split("Served by ")[1].split("<")[0]
    return "sorry" if "Sorry" in page else "?"


async def fetch(reader, writer, address):
    """Fetch the page on an open connection; return its text."""
    writer.write(REQUEST % (f"[{address}]" if ":" in address else address).encode())
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" not in head:
        return (await reader.readexactly(int(head.split(b"content-length:")[1].split()[0]))).decode()
    page, size = b"", None
    while size != 0:
        size = int(await reader.readline(), 16)
        page += (await reader.readexactly(size + 2))[:-2]
    return page.decode()


async def visit(address, limit=10.0):
    """Fetch the page on a new connection; return the server, or the kind of failure and the port it happened on."""
    step, port = "connecting", "?"
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, 80), limit)
        step, port = "fetching", writer.get_extra_info("sockname")[1]
        try:
            return server_of(await asyncio.wait_for(fetch(reader, writer, address), limit))
        finally:
            writer.close()
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return f"reset {step} from port {port}"
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
        return f"failed {step} from port {port}: {type(error).__name__}"


async def wait_for_stop():
    """Wait for a line on standard input."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def count(address, number):
    """Fetch ``number`` times."""
    return dict(collections.Counter([await visit(address) for _ in range(int(number))]))


async def hold_one(address, stop, opened, broken, busy):
    """Keep one connection busy until ``stop``; record on which port it broke and how."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection(address, 80), 30)
    port = writer.get_extra_info("sockname")[1]
    try:
        opened[port] = server_of(await asyncio.wait_for(fetch(reader, writer, address), 30))
        while not stop.is_set():
            if server_of(await asyncio.wait_for(fetch(reader, writer, address), SILENCE_TIMEOUT)) != opened[port]:
                broken[port] = "another server replied"
                return
            busy[port] = time.time()
            await asyncio.sleep(2)
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
        broken[port] = type(error).__name__
    finally:
        writer.close()


async def hold(address, number):
    """Hold ``number`` connections; print "open" when all are open."""
    stop, opened, broken, busy = asyncio.Event(), {}, {}, {}
    tasks = []
    for _ in range(int(number)):  # one after the other: the burst is another program
        tasks.append(asyncio.ensure_future(hold_one(address, stop, opened, broken, busy)))
        await asyncio.sleep(0.02)
    while len(busy) + len(broken) < int(number):
        await asyncio.sleep(0.1)
    print("open", flush=True)
    await wait_for_stop()
    stopped = time.time()
    stop.set()
    await asyncio.gather(*tasks)
    alive = [port for port in opened if port not in broken]
    return {
        "opened": opened,
        "broken": broken,
        "alive": alive,
        "silent": [port for port in alive if busy[port] < stopped - 10],
    }


async def burst(address, number, times):
    """Fetch on all connections at once; return which broke and how."""
    opened, broken = {}, {}

    async def again(port):
        try:
            if server_of(await asyncio.wait_for(fetch(*connections[port], address), SILENCE_TIMEOUT)) != opened[port]:
                broken[port] = "another server replied"
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            broken[port] = type(error).__name__

    connections = {}
    for _ in range(int(number)):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, 80), 30)
        port = writer.get_extra_info("sockname")[1]
        connections[port] = reader, writer
        opened[port] = server_of(await asyncio.wait_for(fetch(reader, writer, address), 30))
    for _ in range(int(times)):
        await asyncio.gather(*(again(port) for port in connections if port not in broken))
        await asyncio.sleep(1)
    return {"opened": opened, "broken": broken, "alive": [port for port in opened if port not in broken]}


async def load(address, clients, rate):
    """Open new connections until a line comes on standard input."""
    stop, seen = asyncio.Event(), collections.Counter()
    pause = int(clients) / float(rate) if float(rate) else 0.0
    failures = []

    async def visitor(offset):
        following = time.monotonic() + offset * pause / int(clients)
        while not stop.is_set():
            began = time.time()
            result = await visit(address)
            bad = result.startswith(("refused", "reset", "failed", "sorry", "?"))
            seen[result.split()[0] if bad else result] += 1
            if bad:
                failures.append([round(began, 2), result])
            following += pause
            await asyncio.sleep(max(0.0, following - time.monotonic()))

    tasks = [asyncio.ensure_future(visitor(number)) for number in range(int(clients))]
    print("open", flush=True)
    began = time.monotonic()
    await wait_for_stop()
    stop.set()
    await asyncio.gather(*tasks)
    return {"seen": dict(seen), "seconds": round(time.monotonic() - began, 1), "failures": failures[:100]}


async def gap(address):
    """Return the longest time in which no fetch that began has succeeded, and how many did."""
    good = []
    print("open", flush=True)
    stop = asyncio.ensure_future(wait_for_stop())
    while not stop.done():
        began = time.monotonic()
        if not (await visit(address, 0.5)).startswith(("refused", "reset", "failed", "sorry", "?")):
            good.append(began)
        await asyncio.sleep(max(0.0, began + 0.1 - time.monotonic()))
    gaps = [later - good[index] for index, later in enumerate(good[1:])]
    return {"longest": round(max(gaps, default=0.0), 2), "good": len(good)}


if __name__ == "__main__":
    programs = {"count": count, "hold": hold, "burst": burst, "load": load, "gap": gap}
    print(json.dumps(asyncio.run(programs[sys.argv[1]](*sys.argv[2:]))), flush=True)
