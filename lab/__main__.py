"""The lab's command line: ``python3 -m lab --help``."""

import argparse
import json
import os
import socket
import sys
import threading

from lab.api import Lab
from lab.errors import LabError
from lab.probe import Probe

COMMANDS = {
    "up": "start machines (or groups of them; default: all) and wait until ssh answers; one that is up stays as it is",
    "down": "shut machines (or groups of them; default: all) down in an orderly way",
    "status": "show the machines, their kernel and their state",
    "ssh": "log in to a machine, or run a command on it",
    "exec": "run a command of this host in the lab's network, as a client of the machines",
    "forward": "make ADDRESS:PORT of the lab reachable at 127.0.0.1:LOCALPORT, for a browser",
    "probe": "fetch a page again and again and print when it goes away, comes back, and from whom",
    "power-off": "take the power away from a machine at once, as pulling the plug",
    "power-on": "start a machine again; its disks hold what they held",
    "pause": "freeze a machine",
    "resume": "let a frozen machine go on",
    "cut": "pull the cable of a network card",
    "mend": "put the cable back in, and a good one",
    "degrade": "make a cable lose and delay frames, in both directions",
    "grow": "put a larger disk in the place of one of a machine that is off",
    "console": "print what a machine wrote on its console",
    "destroy": "end the lab and remove its machines and their disks",
}


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    top = argparse.ArgumentParser(prog="python3 -m lab", description="A lab of real Linux kernels without KVM.")
    top.add_argument("--state", help="folder of the lab (default: $LINUXHA_LAB, else .lab in the checkout)")
    top.add_argument("--inventory", help="where the machines are described (default: inventories/lab)")
    top.add_argument("--release", help="Debian release of the machines (default: lab_release of the inventory)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    for name in ("up", "down"):
        made[name].add_argument("hosts", metavar="HOST", nargs="*")
    for name in ("power-off", "power-on", "pause", "resume", "console", "ssh", "cut", "mend", "degrade", "grow"):
        made[name].add_argument("host", metavar="HOST")
    for name in ("cut", "mend", "degrade"):
        made[name].add_argument("nic", metavar="NIC")
    made["cut"].add_argument(
        "--only", choices=("to_guest", "from_guest"), default="", help="lose what goes this way and nothing else"
    )
    made["degrade"].add_argument(
        "--loss", type=float, default=0.0, metavar="PERCENT", help="share of frames that get lost"
    )
    made["degrade"].add_argument(
        "--delay", type=float, default=0.0, metavar="MS", help="milliseconds that each frame waits"
    )
    made["grow"].add_argument("disk", metavar="DISK")
    made["grow"].add_argument("size", metavar="SIZE", help="such as 384M")
    made["status"].add_argument("--json", action="store_true")
    for name in ("ssh", "exec"):
        made[name].add_argument("words", metavar="CMD", nargs=argparse.REMAINDER)
    made["forward"].add_argument("port", type=int, metavar="LOCALPORT")
    made["forward"].add_argument("target", metavar="ADDRESS:PORT")
    made["probe"].add_argument("url", metavar="URL")
    made["probe"].add_argument("--rate", type=float, default=10.0, help="requests per second (default 10)")
    made["probe"].add_argument("--seconds", type=float, default=600.0, help="end after so long (default 600)")
    return top


def main() -> None:
    """Carry out one command."""
    options = parser().parse_args()
    try:
        run(Lab.open(options.state, options.inventory, options.release), options)
    except LabError as error:
        sys.exit(f"lab: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def run(lab: Lab, options: argparse.Namespace) -> None:
    """Hand one command over to the lab."""
    simple = {"power-off": lab.power_off, "power-on": lab.power_on, "pause": lab.pause, "resume": lab.resume}
    if options.command in simple:
        simple[options.command](options.host)
    elif options.command == "cut":
        lab.cut(options.host, options.nic, options.only)
    elif options.command == "mend":
        lab.mend(options.host, options.nic)
    elif options.command == "degrade":
        lab.degrade(options.host, options.nic, options.loss / 100, options.delay / 1000)
    elif options.command == "grow":
        lab.grow(options.host, options.disk, options.size)
    elif options.command == "up":
        lab.up(options.hosts)
    elif options.command == "down":
        lab.down(options.hosts)
    elif options.command == "destroy":
        lab.destroy()
    else:
        globals()["run_" + options.command](lab, options)


def run_status(lab: Lab, options: argparse.Namespace) -> None:
    """Print the machines."""
    status = lab.status()
    if options.json:
        print(json.dumps(status, indent=2))
        return
    print(f"lab {status['state']}, machines of {status['inventory']}")
    for name, seen in status["machines"].items():
        since = f"for {seen['seconds']} s" if seen["seconds"] else ""
        nics = "  ".join(
            f"{nic} {address or '-'}"
            + (" CUT" if nic in seen["cut"] else "")
            + (" DEGRADED" if nic in seen["degraded"] else "")
            for nic, address in seen["nics"].items()
        )
        print(f"  {name:12} {seen['state']:8}{since:14} {seen['release']} on kernel {seen['kernel'] or '-'}   {nics}")


def run_ssh(lab: Lab, options: argparse.Namespace) -> None:
    """Become ssh."""
    argv = lab.ssh_argv(options.host, *options.words)
    os.execvp(argv[0], argv)


def run_exec(lab: Lab, options: argparse.Namespace) -> None:
    """Become the command, in the lab's network."""
    argv = lab.exec_argv(*(options.words or ["sh"]))
    os.execvp(argv[0], argv)


def run_console(lab: Lab, options: argparse.Namespace) -> None:
    """Print the console log."""
    path = lab.paths.console(lab.machine(options.host).name)
    if not path.exists():
        raise LabError(f"{options.host} has never been started")
    sys.stdout.write(path.read_text(errors="replace"))


def run_probe(lab: Lab, options: argparse.Namespace) -> None:
    """Print every change of what the page's visitors get."""
    probe = Probe(lab.connect, options.url, rate=options.rate, tell=print)
    probe.run(options.seconds)
    print(probe.summary())


def run_forward(lab: Lab, options: argparse.Namespace) -> None:
    """Relay connections until interrupted."""
    address, _, port = options.target.rpartition(":")
    if not address or not port.isdigit():
        raise LabError(f"forward: '{options.target}' is not ADDRESS:PORT, such as 192.168.69.100:80")
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        print(f"http://127.0.0.1:{options.port}/ shows {options.target}; Ctrl-C ends it", flush=True)
        while True:
            visitor, _ = listener.accept()
            threading.Thread(target=_relay, args=(lab, visitor, address, int(port)), daemon=True).start()


def _relay(lab: Lab, visitor: socket.socket, address: str, port: int) -> None:
    with visitor:
        try:
            wire = lab.connect(address, port)
        except OSError as error:
            print(f"lab: {error}", file=sys.stderr)
            return
        with wire:
            there = threading.Thread(target=_pour, args=(visitor, wire), daemon=True)
            there.start()
            _pour(wire, visitor)
            there.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()  # one side went away; so does the other


if __name__ == "__main__":
    main()
