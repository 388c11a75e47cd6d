# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build the documentation site, without a network: .cache/docs/html. Any warning is an error.

The pages lie in the source folder as they do in the checkout, so that the links between them work in both.
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".cache/docs"
INDEX = "docs/index.md"
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/*.md", "docs/*/*.md",
         "roles/*/README.md", "lab/harness/README.md")
IMAGES = "https://raw.githubusercontent.com/linuxha/cluster/main/"
FILES = "https://github.com/linuxha/cluster/blob/main/"
# Labels of Ansible's own documentation that the generated reference refers to.
ANSIBLE = {
    "common_return_values": ("Values that all modules return", "reference_appendices/common_return_values.html"),
    "action_plugins": ("Action plugins", "plugins/action.html"),
    "ansible_configuration_settings": ("Settings of Ansible", "reference_appendices/config.html"),
}
LINK = re.compile(r"(?<=\]\()([^()\s]+)(?=\))")
ENTRY = re.compile(r"^- \[([^]]+)\]\(([^()\s#]+)\)", re.MULTILINE)


def pages() -> list[str]:
    """Return the pages written by hand, as paths in the checkout."""
    return sorted({str(path.relative_to(ROOT)) for pattern in PAGES for path in ROOT.glob(pattern)})


def links_of(text: str) -> list[str]:
    """Return the targets of the links and images of a page, without those in code."""
    return LINK.findall(re.sub(r"^ *```.*?^ *```|`[^`\n]*`(?!\])", "", text, flags=re.DOTALL | re.MULTILINE))


def target_of(page: str, link: str) -> str:
    """Return the file of the checkout that a link leads to; "" for one of this page or of the network."""
    file = link.partition("#")[0]
    return "" if not file or ":" in file else os.path.normpath(Path(page).parent / file)


def prepare(page: str, known: list[str]) -> str:
    """Return the text of a page of the site: pictures from this checkout, files that are no pages at GitHub."""
    home = os.path.relpath(".", Path(page).parent) + "/"
    text = (ROOT / page).read_text(encoding="utf-8").replace(IMAGES, home).replace(f"]({FILES}", f"]({home}")

    def rewrite(match: re.Match[str]) -> str:
        target = target_of(page, match.group(1))
        here = not target or target in known or target.startswith("docs/images/")
        return match.group(1) if here else FILES + target

    text = LINK.sub(rewrite, text)
    return text + toctree(text, known) if page == INDEX else text


def toctree(text: str, known: list[str]) -> str:
    """Return the tree of contents: the sections of the index, every option, and all other pages."""
    parts: list[tuple[str, list[tuple[str, str]]]] = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        parts.append((title, [(words, target_of(INDEX, link)) for words, link in ENTRY.findall(body)]))
    parts.append(("Every option", [("Modules, filters, roles", "reference/index.rst")]))
    listed = {INDEX, *(name for _title, pages_of in parts for _words, name in pages_of)}
    parts.append(("Other pages", [(name, name) for name in known if name not in listed]))
    return "".join(f"\n```{{toctree}}\n:hidden:\n:maxdepth: 1\n:caption: {title}\n\n" + "".join(
        f"{words} </{name.rpartition('.')[0]}>\n" for words, name in entries) + "```\n"
        for title, entries in parts if entries)


def lay_out(source: Path) -> None:
    """Write the sources of the site: the pages, the pictures and the generated reference."""
    shutil.rmtree(source, ignore_errors=True)
    known = pages()
    for page in known:
        (source / page).parent.mkdir(parents=True, exist_ok=True)
        (source / page).write_text(prepare(page, known), encoding="utf-8")
    shutil.copytree(ROOT / "docs/images", source / "docs/images")
    (source / "reference").mkdir(mode=0o755)
    run("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir",
        str(source / "reference"), "linuxha.cluster")
    labels = ":orphan:\n\nAnsible's own documentation\n===========================\n"
    (source / "reference/ansible.rst").write_text(labels + "".join(
        f"\n.. _{label}:\n\n{title}\n{'-' * len(title)}\n\nhttps://docs.ansible.com/ansible/latest/{page}\n"
        for label, (title, page) in ANSIBLE.items()), encoding="utf-8")


def run(program: str, *arguments: str) -> None:
    subprocess.run([str(Path(sys.executable).parent / program), *arguments], cwd=ROOT, check=True,
                   env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")})


def main() -> None:
    lay_out(WORK / "source")
    run("sphinx-build", "-q", "-W", "--keep-going", "-b", "html", "-c", str(ROOT / "docs"), str(WORK / "source"),
        str(WORK / "html"))
    print(f"The site: {WORK / 'html' / INDEX.replace('.md', '.html')}")


if __name__ == "__main__":
    main()
