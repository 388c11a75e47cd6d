"""The pair of database servers, as its steps see it."""

from lab.harness import clients
from lab.harness.scenario import Scenario

NODES, MOUNT, ADDRESS = ("db1", "db2"), "/srv/postgresql", "192.168.72.10"
CLIENT, PASSWORD = "workstation", "lab-only-word"
URL = f"host={ADDRESS} dbname=postgres user=app password={PASSWORD} connect_timeout=2 tcp_user_timeout=3000"
# Commits numbered records. After an error nobody knows whether the record is stored, so that it is sent again.
WRITER = """
import subprocess, sys, time
number = 0
while True:
    argv = ["stdbuf", "-oL", "psql", "-qAt", "-v", "ON_ERROR_STOP=1", sys.argv[1]]
    psql = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        while True:
            psql.stdin.write(f"INSERT INTO records VALUES ({number}) ON CONFLICT DO NOTHING;\\n\\\\echo {number}\\n")
            psql.stdin.flush()
            if psql.stdout.readline() != f"{number}\\n":
                break
            print(number, flush=True)
            number += 1
            time.sleep(0.05)
    except BrokenPipeError:
        pass
    psql.kill()
    psql.wait()
    time.sleep(0.2)
"""
STATE = "crm_mon -1rfA; drbdadm status; systemctl status postgresql-ha; journalctl --no-pager -n 60 -u pacemaker"
pair = Scenario("postgresql_pair", "", NODES, STATE, inventory="inventories/postgresql_pair")
lab = pair.lab


def healthy() -> bool:
    """Return whether both copies are up to date and one node has the database's filesystem."""
    return clients.replicated(pair, "data", NODES) and clients.active_node(pair, MOUNT) != ""


def sql(node: str, command: str) -> str:
    """Return what the database on a node answers to its administrator."""
    return lab.ssh(node, f"runuser -u postgres -- psql -qAtc {command!r}")


def prepare_client() -> None:
    """Create a table and a user that may connect from the network, and install psql on the client."""
    node = clients.active_node(pair, MOUNT)
    sql(node, f"CREATE ROLE app LOGIN PASSWORD $${PASSWORD}$$")
    sql(node, "CREATE TABLE records (number integer PRIMARY KEY)")
    sql(node, "GRANT SELECT, INSERT ON records TO app")
    rule = "host postgres app 192.168.72.0/24 scram-sha-256"
    lab.ssh(node, f"echo {rule} >> {MOUNT}/data/pg_hba.conf && systemctl reload postgresql-ha")
    lab.ssh(CLIENT, "apt-get -q update && apt-get -qy install --no-install-recommends postgresql-client", seconds=300)


def writer() -> clients.Client:
    """Return a client that commits records; each is acknowledged once it is committed."""
    return clients.Client(lab, CLIENT, WRITER, f"'{URL}'")
