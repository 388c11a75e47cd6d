"""The role apache's variables: what is refused, and how it is reported."""

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._apache import settings as apache

GOOD = {"apache_listen": ["*:80", "[::1]:8080", "www:80", "10.0.0.1:81", "1st.example:80"],
        "apache_document_root": "/mnt/repl/www",
        "apache_document_root_mount": "/mnt/repl", "apache_processes": {"MaxRequestWorkers": 10, "ThreadLimit": "64"},
        "apache_server_name": "www_1.example.com", "apache_server_admin": "webmaster@localhost"}


@pytest.mark.parametrize("change", [
    {}, {"apache_document_root_mount": ""}, {"apache_server_name": "https://www.example.com:443"},
    {"apache_server_name": None}, {"apache_server_name": "10.0.0.1:80"}, {"apache_processes": {}},
    {"apache_document_root": "/mnt/repl/$www", "apache_server_admin": "a$b@c"}])
def test_good_settings_have_no_problem(change):
    assert apache.check_settings({**GOOD, **change}, ["debian1"]) == []


INJECTED = "a\n  Alias /etc /etc"


@pytest.mark.parametrize(("change", "message"), [
    ({"apache_listen": []}, "apache_listen: [] is not valid; expected a list of at least one ADDRESS:PORT"),
    ({"apache_listen": ["80"]}, "apache_listen[0]: '80' is not valid; expected ADDRESS:PORT such as *:80"),
    ({"apache_listen": ["*:0"]}, "apache_listen[0]: '*:0' is not valid"),
    ({"apache_listen": ["*:65536"]}, "apache_listen[0]: '*:65536' is not valid"),
    ({"apache_listen": ["1.2.3.4.5:80"]}, "apache_listen[0]: '1.2.3.4.5:80' is not valid; expected ADDRESS:PORT"),
    ({"apache_listen": ["[127.0.0.1]:80"]}, "apache_listen[0]: '[127.0.0.1]:80' is not valid"),
    ({"apache_listen": ["-:80"]}, "apache_listen[0]: '-:80' is not valid"),
    ({"apache_listen": ["[::zz]:80"]}, "apache_listen[0]: '[::zz]:80' is not valid"),
    ({"apache_listen": ["[1::2::3]:80"]}, "apache_listen[0]: '[1::2::3]:80' is not valid"),
    ({"apache_listen": ["*:٨٠"]}, "apache_listen[0]: '*:٨٠' is not valid"),
    ({"apache_listen": ["*:80", "*:80\n"]}, "apache_listen[1]: '*:80\\n' is not valid"),
    ({"apache_server_name": INJECTED}, "apache_server_name: 'a\\n  Alias /etc /etc' is not valid; expected a host"),
    ({"apache_server_name": "a b"}, "apache_server_name: 'a b' is not valid"),
    ({"apache_server_name": ""}, "apache_server_name: '' is not valid"),
    ({"apache_server_admin": INJECTED}, "apache_server_admin: 'a\\n  Alias /etc /etc' is not valid; expected a mail"),
    ({"apache_server_admin": "me <root>"}, "apache_server_admin: 'me <root>' is not valid"),
    ({"apache_document_root": "/" + INJECTED}, "apache_document_root: '/a\\n  Alias /etc /etc' is not valid"),
    ({"apache_document_root": "/srv\u00a0x"}, "apache_document_root: '/srv\\xa0x' is not valid"),
    ({"apache_document_root": "/srv>"}, "apache_document_root: '/srv>' is not valid"),
    ({"apache_document_root": "/mnt/repl/${X}"}, "apache_document_root: '/mnt/repl/${X}' is not valid"),
    ({"apache_document_root": "/mnt/repl/*"}, "apache_document_root: '/mnt/repl/*' is not valid"),
    ({"apache_server_admin": "${X}@example.com"}, "apache_server_admin: '${X}@example.com' is not valid"),
    ({"apache_server_admin": "'root'@x"}, "apache_server_admin: \"'root'@x\" is not valid"),
    ({"apache_server_name": "[fd00::1]"}, "apache_server_name: '[fd00::1]' is not valid; expected a host name"),
    ({"apache_document_root": "www"}, "apache_document_root: 'www' is not valid; expected an absolute path"),
    ({"apache_document_root_mount": "mnt repl"}, "apache_document_root_mount: 'mnt repl' is not valid"),
    ({"apache_document_root": "/mnt/replica"},
     "apache_document_root: '/mnt/replica' is not valid; expected a path below apache_document_root_mount"),
    ({"apache_processes": {"MaxRequestWorkers": "many"}}, "apache_processes.MaxRequestWorkers: 'many' is not valid"),
    ({"apache_processes": {"MaxRequestWorkers": INJECTED}}, "apache_processes.MaxRequestWorkers: 'a\\n"),
    ({"apache_processes": {"MaxRequestWorkers": "²"}}, "apache_processes.MaxRequestWorkers: '²' is not valid"),
    ({"apache_processes": {"Timeout\n": 1}}, "apache_processes: 'Timeout\\n' is not valid; expected names of"),
])
def test_a_wrong_value_is_named(change, message):
    (found,) = apache.check_settings({**GOOD, **change}, ["debian1"])
    assert found.startswith(message)
