"""The lab's command line: ``python3 -m lab --help``."""

import argparse
import json
import os
import socket
import sys
import threading

from lab import host
from lab.api import Lab
from lab.errors import LabError
from lab.probe import Probe

COMMANDS = {
    "check": "check whether this host can run the lab",
    "up": "start machines (or groups of them; default: all) and wait for their sshd; leave those that run",
    "down": "shut down machines (or groups of them; default: all)",
    "status": "show the machines, their kernel and their state",
    "ssh": "log in to a machine, or run a command on it",
    "exec": "run a command of this host in the lab's network, as a client of the machines",
    "forward": "make ADDRESS:PORT of the lab reachable at 127.0.0.1:LOCALPORT, for a browser",
    "probe": "fetch a page continuously and print each change of the reply",
    "power-off": "switch the power of a machine off at once, as pulling the plug does",
    "power-on": "start a machine; its disks keep their content",
    "pause": "freeze a machine",
    "resume": "let a frozen machine continue",
    "cut": "pull the cable of a network card",
    "mend": "plug a good cable in",
    "degrade": "make a cable lose and delay frames, in both directions",
    "bmc": "make the BMC of a machine unreachable (off) or reachable (on), or print its commands (log)",
    "grow": "enlarge a disk of a machine that is off",
    "console": "print the log of a machine's console",
    "destroy": "end the lab and remove its machines and their disks",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python3 -m lab", description="A lab of real Linux kernels without KVM.")
    top.add_argument("--state", help="folder of the lab (default: $LINUXHA_LAB, else .lab in the checkout)")
    top.add_argument("--inventory", help="where the machines are described (default: inventories/lab)")
    top.add_argument("--release", help="Debian release of the machines (default: lab_release of the inventory)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    for name in ("up", "down"):
        parsers[name].add_argument("hosts", metavar="HOST", nargs="*")
    for name in ("power-off", "power-on", "pause", "resume", "console", "ssh", "cut", "mend", "degrade", "grow"):
        parsers[name].add_argument("host", metavar="HOST")
    for name in ("cut", "mend", "degrade"):
        parsers[name].add_argument("nic", metavar="NIC")
    parsers["cut"].add_argument(
        "--only", choices=("to_guest", "from_guest"), default="", help="lose the frames of this direction only"
    )
    parsers["degrade"].add_argument(
        "--loss", type=float, default=0.0, metavar="PERCENT", help="share of frames that are lost"
    )
    parsers["degrade"].add_argument(
        "--delay", type=float, default=0.0, metavar="MS", help="delay of each frame in milliseconds"
    )
    parsers["bmc"].add_argument("action", choices=("off", "on", "log"))
    parsers["bmc"].add_argument("host", metavar="HOST")
    parsers["grow"].add_argument("disk", metavar="DISK")
    parsers["grow"].add_argument("size", metavar="SIZE", help="such as 384M")
    parsers["status"].add_argument("--json", action="store_true")
    for name in ("ssh", "exec"):
        parsers[name].add_argument("words", metavar="CMD", nargs=argparse.REMAINDER)
    parsers["forward"].add_argument("port", type=int, metavar="LOCALPORT")
    parsers["forward"].add_argument("target", metavar="ADDRESS:PORT")
    parsers["probe"].add_argument("url", metavar="URL")
    parsers["probe"].add_argument("--rate", type=float, default=10.0, help="requests per second (default 10)")
    parsers["probe"].add_argument("--seconds", type=float, default=600.0, help="end after this time (default 600)")
    return top


def main() -> None:
    """Run one command."""
    options = parser().parse_args()
    try:
        run(Lab.open(options.state, options.inventory, options.release), options)
    except LabError as error:
        sys.exit(f"lab: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def run(lab: Lab, options: argparse.Namespace) -> None:
    """Run one command on the lab."""
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
    elif options.command == "check":
        host.check()
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
        if seen["bmc_address"]:
            nics += f"  bmc {seen['bmc_address']}" + ("" if seen["bmc"] in ("", "on") else f" {seen['bmc'].upper()}")
        print(f"  {name:12} {seen['state']:8}{since:14} {seen['release']} on kernel {seen['kernel'] or '-'}   {nics}")


def run_ssh(lab: Lab, options: argparse.Namespace) -> None:
    """Replace this process by ssh."""
    argv = lab.ssh_argv(options.host, *options.words)
    os.execvp(argv[0], argv)


def run_exec(lab: Lab, options: argparse.Namespace) -> None:
    """Replace this process by the command, in the lab's network."""
    argv = lab.exec_argv(*(options.words or ["sh"]))
    os.execvp(argv[0], argv)


def run_bmc(lab: Lab, options: argparse.Namespace) -> None:
    """Switch a BMC off or on, or print its log."""
    if options.action == "log":
        print("\n".join(lab.bmc_log(options.host)))
    elif options.action == "off":
        lab.bmc_off(options.host)
    else:
        lab.bmc_on(options.host)


def run_console(lab: Lab, options: argparse.Namespace) -> None:
    """Print the console log."""
    path = lab.paths.console(lab.machine(options.host).name)
    if not path.exists():
        raise LabError(f"cannot read the console of {options.host}: it has never been started")
    sys.stdout.write(path.read_text(errors="replace"))


def run_probe(lab: Lab, options: argparse.Namespace) -> None:
    """Print every change of the page."""
    probe = Probe(lab.connect, options.url, rate=options.rate, report=print)
    probe.run(options.seconds)
    print(probe.summary())


def run_forward(lab: Lab, options: argparse.Namespace) -> None:
    """Relay connections until interrupted."""
    address, _, port = options.target.rpartition(":")
    if not address or not port.isdigit():
        raise LabError(f"forward: {options.target} is not valid; expected ADDRESS:PORT such as 192.168.69.100:80")
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
            there = threading.Thread(target=_copy, args=(visitor, wire), daemon=True)
            there.start()
            _copy(wire, visitor)
            there.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()  # one side has ended; so does the other


if __name__ == "__main__":
    main()
