"""The Debian package as a file, and what it says about itself."""

import json
import re
import subprocess

from conftest import BUILD, SOURCE, field

PROGRAMS = {"./usr/sbin/lunard", "./usr/bin/lunarctl"}
CONFIGURATION = ["/etc/lunar/gateway_config.yaml", "/etc/lunar/lunard.yaml"]
MAXIMUM_EXPOSURE = 3.0


def contents(package) -> dict:
    listing = subprocess.run(["dpkg-deb", "-c", package], check=True, text=True, capture_output=True).stdout
    return {line.split(None, 5)[5]: line.split(None, 2)[:2] for line in listing.splitlines()}


def test_lintian_finds_no_error(package):
    found = subprocess.run(["lintian", "--fail-on", "none", "--tag-display-limit", "0", package], text=True,
                           capture_output=True)
    assert found.returncode == 0, found.stderr
    assert [line for line in found.stdout.splitlines() if line.startswith("E:")] == []


def test_everything_belongs_to_root_and_is_not_writable_by_others(package):
    for name, (mode, owner) in contents(package).items():
        assert owner == "root/root", name
        assert mode[0] == "l" or (mode[5] == "-" and mode[8] == "-"), f"{name} {mode}"
        assert "s" not in mode.lower(), f"{name} {mode}"


def test_it_ships_programs_unit_man_pages_and_completions(package):
    names = set(contents(package))
    assert PROGRAMS <= names
    assert "./lib/systemd/system/lunard.service" in names
    for page in ("man8/lunard.8.gz", "man1/lunarctl.1.gz", "man5/lunard.yaml.5.gz"):
        assert f"./usr/share/man/{page}" in names
    assert "./usr/share/bash-completion/completions/lunarctl" in names
    assert "./usr/share/zsh/vendor-completions/_lunarctl" in names
    assert "./usr/share/fish/vendor_completions.d/lunarctl.fish" in names


def test_editors_find_a_schema_of_every_kind_of_file(package, tmp_path):
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    printed = subprocess.run([BUILD / "cli/lunarctl", "flows", "schema"], check=True, text=True, capture_output=True)
    folder = tmp_path / "usr/share/lunar/schema"
    assert {file.stem: json.loads(file.read_text()) for file in folder.iterdir()} == json.loads(printed.stdout)
    # What the README and the shipped files tell an editor is there.
    named = [re.search(r"^# yaml-language-server: \$schema=(\S+)$", (SOURCE / path).read_text(), re.M)
             for path in ("README.md", "packaging/config/gateway_config.yaml", "packaging/config/lunard.yaml")]
    assert [schema and (tmp_path / schema[1].lstrip("/")).is_file() for schema in named] == [True] * 3


def test_configuration_files_are_the_administrators(package, tmp_path):
    subprocess.run(["dpkg-deb", "-e", package, tmp_path], check=True)
    assert (tmp_path / "conffiles").read_text().splitlines() == CONFIGURATION


def test_libraries_are_declared(package):
    for library in ("libbpf1", "liburing2", "libsystemd0", "libseccomp2", "libc6"):
        assert re.search(rf"\b{library}\b", field(package, "Depends")), library


def test_the_unit_is_valid_and_little_exposed(installed):
    verified = installed.run("systemd-analyze", "verify", "--man=no", "lunard.service", check=False)
    assert (verified.returncode, verified.stderr.strip()) == (0, "")
    report = installed.run("systemd-analyze", "security", "--no-pager", "--offline=true",
                           "/lib/systemd/system/lunard.service").stdout
    exposure = float(re.search(r"Overall exposure level for lunard.service: ([\d.]+)", report)[1])
    assert exposure < MAXIMUM_EXPOSURE, report


def effective_settings(folder, text: str) -> str:
    (folder / "lunard.yaml").write_text(text)
    done = subprocess.run([BUILD / "agent/lunard", "--config-dir", folder, "--instance-id", "one", "--dump-config"],
                          text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_settings_shipped_as_comments_are_the_defaults(tmp_path):
    """So that taking away a `#` changes nothing, and every key is one that lunard knows."""
    shipped = (SOURCE / "packaging/config/lunard.yaml").read_text()
    setting = re.compile(r"^# (\w+:|  \w+: .*)", re.M)
    assert setting.search(shipped)
    uncommented = setting.sub(r"\1", shipped)
    assert effective_settings(tmp_path, uncommented) == effective_settings(tmp_path, "")


def test_the_host_lists_shipped_as_comments_are_valid(tmp_path):
    shipped = (SOURCE / "packaging/config/gateway_config.yaml").read_text()
    (tmp_path / "gateway_config.yaml").write_text(re.sub(r"^# (\w+_domains:)", r"\1", shipped, flags=re.M))
    done = subprocess.run([BUILD / "agent/lunard", "--config-dir", tmp_path, "--check"], text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
