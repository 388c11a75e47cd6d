"""What must hold whenever the cluster is healthy, read with plain tools on each node."""

from xml.etree import ElementTree

NODES = ("balthasar", "casper", "melchior")


def test_each_node_has_its_bmc_as_the_first_level_and_sbd_as_the_second(host):
    topology = ElementTree.fromstring(host.check_output("cibadmin --query --scope fencing-topology"))
    found = {(each.get("target"), each.get("index")): each.get("devices") for each in topology}
    levels = {(node, "1"): f"ipmi-{node}" for node in NODES} | {(node, "2"): "sbd" for node in NODES}
    assert found == levels


def test_the_fence_devices_run(host):
    state = ElementTree.fromstring(host.check_output("crm_mon --one-shot --output-as=xml"))
    devices = {each.get("id"): each for each in state.iter("resource") if "stonith:" in each.get("resource_agent")}
    assert {f"ipmi-{node}" for node in NODES} < set(devices)
    assert {(each.get("active"), each.get("failed")) for each in devices.values()} == {("true", "false")}


def test_every_node_reaches_the_bmc_of_the_others(host):
    login = "fence_ipmilan --lanplus --username fence --password lab-fence-word --action status"
    for address in ("198.18.0.221", "198.18.0.222", "198.18.0.223"):
        assert "Status: ON" in host.check_output(f"{login} --ip {address}")


def test_a_wrong_password_is_refused(host):
    login = "fence_ipmilan --lanplus --username fence --password wrong --action status"
    assert host.run(f"{login} --ip 198.18.0.221").rc != 0


def test_the_password_is_in_scripts_of_root_only(host):
    assert "lab-fence-word" not in host.check_output("journalctl --boot --no-pager --unit pacemaker")
    found = host.run("grep -rl lab-fence-word /etc /var/log /var/lib/pacemaker").stdout.split()
    assert sorted(found) == [f"/etc/pacemaker/fencing/ipmi-{node}.password" for node in NODES]
    assert set(host.check_output(f"stat -c '%a %U %G' {' '.join(found)} /etc/pacemaker/fencing").splitlines()) == {
        "700 root root"
    }
