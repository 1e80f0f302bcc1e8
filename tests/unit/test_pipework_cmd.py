"""Variables of the wrapper image are words with macros, for the container itself; nothing in them is run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipework.errors import PipeworkError
from pipework.model import Attach
from pipework.pipework_cmd import MACROS, Itself, commands_among, is_wrapper, left_out, read_command

ID = "7fe4d4dc916c" + "0" * 52
WEB = Itself("docker", "shop-web-2", ID, "www", "shop")
UNNAMED = Itself("docker", "web", ID, "", "")


def nothing(_: str) -> bool:
    return False


def words_of(text: str, itself: Itself = WEB) -> list[str]:
    words, attach = read_command(text, itself, nothing)
    assert isinstance(attach, Attach) and attach.guest == itself.guest
    return words


@pytest.mark.parametrize(
    "guest",
    [
        "@CONTAINER_NAME@",
        "@CONTAINER_ID@",
        "docker:@CONTAINER_NAME@",
        "/@CONTAINER_NAME@",
        "@COMPOSE_PROJECT_NAME@-web-@INSTANCE@",
        "shop-web-2",
        ID,
        ID[:20],
    ],
)
def test_itself(guest: str) -> None:
    """By each of its names the container itself is meant."""
    assert words_of(f"pipework br1 -i eth0 {guest} 10.0.0.1/24")[-1] == "10.0.0.1/24"


@pytest.mark.parametrize("guest", ["db", "@HOSTNAME@", "podman:shop-web-2", ID[:11], "pid:1", "netns:x", "@web@"])
def test_another(guest: str) -> None:
    """Nobody else is."""
    with pytest.raises(PipeworkError, match=r"is another than docker:shop-web-2(.|\n)*@CONTAINER_NAME@"):
        words_of(f"br1 {guest} 10.0.0.1/24")


def test_macros() -> None:
    """They are replaced wherever they stand, an @ of the line's own beside them."""
    line = "br_@COMPOSE_PROJECT_NAME@ -l @HOSTNAME@.@INSTANCE@ @CONTAINER_NAME@ 10.0.0.@INSTANCE@/24@10.0.0.254"
    assert words_of(f"{line} U:@CONTAINER_ID@ @5") == [
        "br_shop", "-l", "www.2", "shop-web-2", "10.0.0.2/24@10.0.0.254", "U:7fe4d4dc916c", "@5"
    ]  # fmt: skip
    assert words_of("br1 @CONTAINER_NAME@ udhcpc @@INSTANCE@ # host NIC @1@")[-1] == "@2"


def test_values_are_no_words() -> None:
    """What a macro stands for is not split, and no macro is replaced in it."""
    hostile = WEB.replace(host_name="x 0/0 @INSTANCE@ $(id)")
    assert words_of("br1 @CONTAINER_NAME@ 'udhcpc:-x hostname:@HOSTNAME@'", hostile)[2:] == [
        "udhcpc:-x hostname:x 0/0 @INSTANCE@ $(id)"
    ]


WRONG = [
    ("", "the variable is empty"),
    ("# nothing", "the variable is empty"),
    ("br1 @CONTAINER_NAME@ 10.0.0.1", "has no netmask"),
    ("br1 @NODE_NUM@ 10.0.0.1/24", "there is no macro @NODE_NUM@(.|\n)*There are: @CONTAINER_NAME@"),
    ("br1 @CONTAINER_NAME@ 10.0.0.@INSTANCE@/24", "@INSTANCE@ stands for nothing(.|\n)*such as web-1"),
    ("br_@COMPOSE_PROJECT_NAME@ @CONTAINER_NAME@ 0/0", "@COMPOSE_PROJECT_NAME@ stands for nothing"),
    ("br1 @HOSTNAME@ 0/0", "@HOSTNAME@ stands for nothing"),
    ("br1 10.0.0.1/24", "br1 10.0.0.1/24 names no guest\nWrite @CONTAINER_NAME@"),
    ("br1 10.0.0.1/24 U:x @5", "names no guest"),
    (
        "route @CONTAINER_NAME@ add default via 10.0.0.254",
        "route makes no wire\nType it (.|\n)*pipework route docker:web",
    ),
    ("rule @CONTAINER_NAME@ show", "rule makes no wire"),
    ("tc @CONTAINER_NAME@ qdisc show", "tc makes no wire"),
    ("--wait -i eth0", "--wait makes no wire"),
    ("wire @CONTAINER_NAME@ 10.0.0.1/30 db 10.0.0.2/30", "would reach into another guest\nLeave it to root"),
    ("del @CONTAINER_NAME@ --all", "del makes no wire"),
    ("--dry-run br1 @CONTAINER_NAME@ 0/0", "--dry-run in a variable"),
    ("--keep br1 @CONTAINER_NAME@ 0/0", "--keep in a variable"),
    ("br1 @CONTAINER_NAME@ 0/0\nbr2 @CONTAINER_NAME@ 0/0", "more than one command\nWrite one into each"),
    ("br1 @CONTAINER_NAME@ 0/0; pipework br2 @CONTAINER_NAME@ 0/0", "more than one command"),
    ("br1 @CONTAINER_NAME@ 0/0 && reboot", "more than one command"),
    ("br1 $(reboot) 0/0", r"GUEST \$\(reboot\) is another"),
    ("br1 '@CONTAINER_NAME@ 0/0", "quotation mark is not closed"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_wrong(text: str, said: str) -> None:
    """Each is refused, and what to write is said."""
    with pytest.raises(PipeworkError, match=said):
        words_of(text, UNNAMED)


@settings(deadline=None)
@given(some.text(), some.text())
def test_any_text(text: str, name: str) -> None:
    """Whatever stands there, it asks for a wire of the container itself, or is refused."""
    for line in (text, f"br1 @HOSTNAME@ {text}", f"br1 {text}@CONTAINER_NAME@ 0/0"):
        try:
            words_of(line, WEB.replace(host_name=name))
        except PipeworkError as error:
            assert str(error)


def test_names() -> None:
    """Anything may stand in front of pipework_cmd, and behind; the alphabet says which is first."""
    variables = {
        "pipework_cmd_eth1": "b", "PATH": "/bin", "pipework_cmd": "a", "mysql__pipework_cmd": "0",
        "pipework_wait": "eth0", "pipework_cmd_10": "1", "PIPEWORK_CMD": "x", "cmd": "y",
    }  # fmt: skip
    assert "".join(text for _, text in commands_among(variables)) == "0a1b"


def test_left_out() -> None:
    """What has no meaning here is told with what has; what needs none is not."""
    told = dict(
        left_out(
            {"pipework_host_route_ip": " true", "pipework_host_routes": "", "pipework_key": "k", "pipework_wait": "x"}
        )
    )
    assert told.keys() == {"pipework_host_route_ip", "pipework_key"} and all(told.values())


def test_the_wrapper_itself() -> None:
    """It is known by its image's name and its run mode; one that runs watch is none."""
    for image in ("dreamcat4/pipework", "docker.io/dreamcat4/pipework:1.1.6", "host:5000/x/pipework:1@sha256:ab"):
        assert is_wrapper(image, {"run_mode": "batch,daemon"}) and is_wrapper(image, {"pipework_run_mode": "both"})
        assert not is_wrapper(image, {}) and not is_wrapper(image, {"run_mode": "fast"})
    assert not is_wrapper("shop/web", {"run_mode": "batch"})


def test_every_macro_is_known() -> None:
    """Each stands for something in a container that has all of it."""
    assert WEB.macros.keys() == MACROS.keys() and all(WEB.macros.values())
