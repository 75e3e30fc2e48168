"""The doctor's look at certificates, keys and tokens, on sites that are careless on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from repstream.parameters.configuration import Configuration
from repstream.sockets.keys import SECRET, Keys
from repstream_cli.doctor import security
from repstream_cli.doctor.finding import Finding, Verdict
from repstream_cli.doctor.site import Secrets, Site
from repstream_http.tokens import TokenFile
from tests.certificates import Authority

NOW = datetime.now(UTC)


def verdicts(findings: Iterable[Finding]) -> list[tuple[Verdict, str]]:
    return [(finding.verdict, finding.found) for finding in findings]


def of_certificate(authority: Authority, name: str, days: float) -> tuple[Verdict, str]:
    files = authority.issue(name, not_before=NOW - timedelta(9), not_after=NOW + timedelta(days, hours=1))
    (found,) = verdicts(security.certificate(Site(secrets=Secrets(files.certificate, files.key))))
    return found


def test_a_certificate_that_ends_soon_or_has_ended(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert of_certificate(authority, "good", 100)[0] is Verdict.OK
    verdict, found = of_certificate(authority, "soon", 7)
    assert verdict is Verdict.WARN and "expires in 7 days" in found
    verdict, found = of_certificate(authority, "old", -3)
    assert verdict is Verdict.FAIL and "has expired" in found
    assert not list(security.certificate(Site()))


def test_private_keys_that_others_may_read(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("server")
    files.key.chmod(0o644)
    found = verdicts(security.certificate(Site(secrets=Secrets(files.certificate, files.key))))
    assert (Verdict.FAIL, f"others may read {files.key}") in found
    keys = Keys(tmp_path / "keys")
    keys.create("daq")
    secret = keys.place / f"daq{SECRET}"
    site = Site(secrets=Secrets(keys=keys.place))
    assert not list(security.keys(site))
    secret.chmod(0o640)
    assert verdicts(security.keys(site)) == [(Verdict.FAIL, f"others may read {secret}")]


def test_a_key_that_the_configuration_names_and_nobody_has(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.create("daq")
    tree = {"source": {"curve_key": "daq"}, "streams": {"live": {"curve_key": "gone"}}}
    site = Site(configuration=Configuration.model_validate(tree), secrets=Secrets(keys=tmp_path))
    (good, bad) = verdicts(security.keys(site))
    assert good == (Verdict.OK, "source is encrypted with daq")
    assert bad[0] is Verdict.FAIL and "no key pair 'gone'" in bad[1]


def test_tokens_and_servers_that_are_open_to_a_network(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    TokenFile(path).create("anna", "change")
    good = Site(secrets=Secrets(tokens=path, host="0.0.0.0"))
    assert [verdict for verdict, _ in verdicts(security.tokens(good))] == [Verdict.OK]
    path.chmod(0o644)
    assert [verdict for verdict, _ in verdicts(security.tokens(good))] == [Verdict.FAIL]
    (finding,) = security.tokens(Site(secrets=Secrets(host="0.0.0.0")))
    assert finding.verdict is Verdict.WARN and "--http-tokens" in finding.advice
    assert not list(security.tokens(Site(secrets=Secrets(host="0.0.0.0", has_token=True))))
    assert not list(security.tokens(Site()))
