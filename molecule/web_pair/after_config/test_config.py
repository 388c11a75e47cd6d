"""A backup is whole and for us alone; it puts a spoilt machine back, and refuses what it is not."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["config"]
NODES = ["debian1", "debian2"]


def test_no_visitor_notices():
    for name in ("backup", "restore"):
        figures = measured[name]
        print(f"\n{name}_config: {figures['seconds']} s; without a page for {figures['outages'] or 'no time'} s")
        assert figures["outages"] == []


def test_a_backup_is_whole_and_nobody_else_may_read_it():
    assert measured["untouched"]
    modes = dict(measured["modes"])
    archives = {f"{node}.tar.gz": "0o600" for node in NODES} | {"SHA256SUMS": "0o600"}
    assert archives.items() <= modes.items()
    assert [mode for name, mode in modes.items() if name not in archives] == ["0o700"]
    assert measured["sums"] == 0


def test_it_has_what_the_cluster_is_made_of():
    files = ["etc/ha.d/ha.cf", "etc/ha.d/haresources", "etc/ha.d/authkeys", "etc/drbd.d/repl.res",
             "etc/apache2/sites-enabled/000-cluster.conf", "etc/chrony/chrony.conf", "var/lib/linuxha/drbd/repl.json"]
    assert {"manifest.json", *(f"files/{file}" for file in files)} <= set(measured["names"])
    assert {"outputs/drbd_config.txt", "outputs/addresses.txt"} <= set(measured["names"])


def test_what_does_not_fit_is_refused():
    wrong, damaged, old_secret = measured["refused"]
    assert "expected one of" in wrong and "is a backup of" in wrong
    assert "cannot be read" in damaged
    assert "has another secret of heartbeat" in old_secret
    assert (measured["skipped"], measured["other_secret_kept"]) == (0, True)


def test_the_difference_is_shown_first_without_a_secret():
    shown = "\n".join(measured["differences"])
    for words in ("-keepalive 2", "+keepalive 1", "-# spoilt", "max-buffers"):
        assert words in shown
    assert measured["left"] and not measured["told_secret"]


def test_the_machine_is_as_it_was():
    assert measured["spoilt"] and measured["back"]
    assert measured["again"] == 0
    assert measured["site"] == dict.fromkeys(NODES, 0)
