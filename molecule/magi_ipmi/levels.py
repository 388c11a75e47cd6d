"""Fencing by levels, as the steps see it: the commands of a BMC, and the fencings that Pacemaker reports."""

from xml.etree import ElementTree

from magi import crm_mon, lab, magi

from lab.harness import pacemaker

magi.inventories = ["inventories/lab", "inventories/magi_ipmi"]


def power_commands(node: str) -> list[tuple[str, str]]:
    """Return the commands other than status that the BMC of a node has had, and what came of them."""
    return [(each.name, each.result) for each in pacemaker.power_commands(lab.bmc_log(node))]


def fencings(node: str, victim: str) -> int:
    """Return how often a victim was fenced, by Pacemaker's history on a node."""
    text = lab.ssh(node, "crm_mon", "--one-shot", "--fence-history=3", "--output-as=xml", check=False)
    events = ElementTree.fromstring(text).findall("fence_history/fence_event") if text.strip() else []
    return [(each.get("target"), each.get("status")) for each in events].count((victim, "success"))


def active_devices(node: str) -> list[str]:
    """Return the fence devices that run, as a node sees them."""
    found = [each for each in crm_mon(node).iter("resource") if "stonith:" in each.get("resource_agent", "")]
    return sorted(each.get("id", "") for each in found if (each.get("active"), each.get("failed")) == ("true", "false"))


def results(nodes: list[str], victim: str, device: str) -> list[str]:
    """Return what the nodes' Pacemaker has written in this boot about the fencing of a victim by a device."""
    journal = ("journalctl", "--boot", "--unit", "pacemaker", "--output", "cat", "--no-pager")
    lines = [line for node in nodes for line in lab.ssh(node, *journal).splitlines()]
    return [line for line in lines if f"targeting {victim} using {device} returned" in line]
