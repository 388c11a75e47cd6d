"""The pair of NFS servers, as its steps see it."""

from lab.harness import clients
from lab.harness.observers import WRITER
from lab.harness.scenario import Scenario

NODES, MOUNT, ADDRESS = ("file1", "file2"), "/srv/nfs", "192.168.71.10"
CLIENT, FOLDER = "workstation", "/mnt/files"
STATE = "crm_mon -1rfA; drbdadm status; exportfs -v; mount | grep nfs; journalctl --no-pager -n 60 -u pacemaker"
pair = Scenario("nfs_pair", "", NODES, STATE, inventory="inventories/nfs_pair")
lab = pair.lab


def healthy() -> bool:
    """Return whether both copies are up to date and one node exports the filesystem."""
    return clients.replicated(pair, "files", NODES) and clients.active_node(pair, MOUNT) != ""


def mount_on_client() -> None:
    """Install the NFS client and mount the export, as /etc/fstab would."""
    lab.ssh(CLIENT, "apt-get -q update && apt-get -qy install --no-install-recommends nfs-common", seconds=300)
    lab.ssh(CLIENT, f"mkdir -p {FOLDER} && mount -t nfs4 -o hard {ADDRESS}:/srv/nfs/export {FOLDER}")


def writer() -> clients.Client:
    """Return a client that appends records to a file of the export, each synced before it is acknowledged."""
    return clients.Client(lab, CLIENT, WRITER, f"{FOLDER}/records", "client")
