"""The role apache's variables: what is refused, and how it is said."""

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._apache import settings as apache

GOOD = {"apache_listen": ["*:80", "[::1]:8080"], "apache_document_root": "/mnt/repl/www",
        "apache_document_root_mount": "/mnt/repl", "apache_processes": {"MaxRequestWorkers": 10}}


def test_good_settings_have_no_problem():
    assert apache.check_settings(GOOD, ["debian1"]) == []


@pytest.mark.parametrize(("change", "says"), [
    ({"apache_listen": []}, "apache_listen is empty"),
    ({"apache_listen": ["80"]}, "apache_listen has '80'"),
    ({"apache_listen": ["*:0"]}, "apache_listen has '*:0'"),
    ({"apache_listen": ["*:65536"]}, "apache_listen has '*:65536'"),
    ({"apache_document_root": "www"}, "apache_document_root is 'www'"),
    ({"apache_document_root_mount": "mnt repl"}, "apache_document_root_mount is 'mnt repl'"),
    ({"apache_document_root": "/mnt/replica"}, "not below apache_document_root_mount '/mnt/repl'"),
    ({"apache_processes": {"MaxRequestWorkers": "many"}}, "apache_processes has 'MaxRequestWorkers: many'"),
])
def test_a_wrong_value_is_named(change, says):
    problems = apache.check_settings({**GOOD, **change}, ["debian1"])
    assert any(says in problem for problem in problems), problems
