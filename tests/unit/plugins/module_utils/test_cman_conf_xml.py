# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cluster.conf as XML: read, compared, written."""

from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import conf_xml
from hypothesis import given, strategies as st

CONF = """<?xml version="1.0"?>
<!-- written by hand -->
<cluster name="magi" config_version="4">
  <clusternodes><clusternode nodeid="1" name="a"/><clusternode name="b" nodeid="2"/></clusternodes>
  <rm><!-- the services --><service name="x"><ip address="10.0.0.1"/><fs name="f"/></service></rm>
</cluster>
"""


def test_what_does_not_matter_is_not_compared():
    other = """<cluster config_version='9' name='magi'><rm><service name='x'><ip address='10.0.0.1'></ip>
      <fs name='f' /></service></rm><clusternodes><clusternode name='b' nodeid='2'/><!-- one -->
      <clusternode name='a' nodeid='1'/></clusternodes></cluster>"""
    assert conf_xml.same(CONF, other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('nodeid="1"', 'nodeid="3"'),
        ('name="magi"', 'name="other"'),
        ('<ip address="10.0.0.1"/><fs name="f"/>', '<fs name="f"/><ip address="10.0.0.1"/>'),
    ],
)
def test_what_matters_is(old, new):
    assert old in CONF and not conf_xml.same(CONF, CONF.replace(old, new))


def test_comments_inside_stay():
    root = conf_xml.parse_conf(CONF)
    text = conf_xml.render(root)
    assert "<!-- the services -->" in text and conf_xml.same(text, CONF)
    assert conf_xml.version_of(root) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<cluster", "is no XML"),
        ("", "is no XML"),
        ("<clusters/>", "begins with <clusters>"),
        ("<cluster name='x'/>", "config_version is ''"),
        ("<cluster config_version='0'/>", "config_version is '0'"),
        ("<cluster config_version='abc'/>", "config_version is 'abc'; expected a whole number"),
    ],
)
def test_what_is_none_is_refused(text, message):
    with pytest.raises(conf_xml.ClusterConfError, match=message):
        conf_xml.parse_conf(text)


words = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t\r"), max_size=20)


@given(st.dictionaries(st.sampled_from(["name", "file", "passwd"]), words), st.lists(words, max_size=3))
def test_what_is_written_is_read_again(attributes, children):
    root = conf_xml.element(
        "cluster",
        [("config_version", 1), ("x", None), *attributes.items()],
        [conf_xml.element("service", [("name", word), ("autostart", True)]) for word in children],
    )
    again = conf_xml.parse_conf(conf_xml.render(root))
    assert conf_xml.canonical(again) == conf_xml.canonical(root)
