"""Reading requests: the short cut and the long way agree, pieces and the whole."""

from hypothesis import given
from hypothesis import strategies as st

from labkit.roles.envoy import request_codec
from labkit.roles.envoy.request_codec import CodecError, read_request
from tests.rows.street import exchange
from tests.rows.test_shapes import BAD, MENDED, OTHERS, TARGETS, chunks

names = st.sampled_from(
    b"Host host Foo X-Labkit-Request Connection Upgrade Content-Length Expect "
    b"Cookie Transfer-Encoding hos".split()
)
values = st.sampled_from([b"x", b"7", b"close", b"a b", b"x<y", b"chunked", b"y:80"])
methods = st.sampled_from([b"GET", b"POST", b"FOO", b"CONNECT", b"M-SEARCH"])
targets = st.sampled_from([b"/", b"/a?b=c", b"/#", b"*", b"http://y/", b"/\xff"])
heads = st.builds(
    lambda method, target, fields: b"".join(
        [
            b"%s %s HTTP/1.1\r\n" % (method, target),
            *(b"%s: %s\r\n" % field for field in fields),
            b"\r\n",
        ]
    ),
    methods,
    targets,
    st.lists(st.tuples(names, values), min_size=1, max_size=4),
)


@given(heads)
def test_the_short_cut_for_usual_requests_agrees_with_the_long_way(head: bytes) -> None:
    """It must, for otherwise a request could be smuggled past one of the two."""
    tidy = request_codec._TIDY.fullmatch(head)
    usual = None if tidy is None else request_codec._usual(tidy, head)
    if usual is not None:
        assert usual == request_codec._any_request(head, True, False)


def status_of(head: bytes) -> int:
    """What Envoy's codec says to these bytes; 0 if it takes them, or waits."""
    try:
        end = request_codec.end_of_head(head)
        if end >= 0:
            read_request(head[:end])
    except CodecError as problem:
        return problem.refusal.status
    return 0


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(noise: bytes) -> None:
    inside = b"GET / HTTP/1.1\r\nHost: x\r\n" + noise + b"\r\n\r\n"
    for head in (noise, inside):
        assert status_of(head) in (0, 400, 426, 431, 501)


SHAPES = [
    *(shape for shapes in (BAD | OTHERS).values() for shape in shapes),  # type: ignore[operator]
    *(shape for shape, _ in MENDED + TARGETS),
    chunks(b"5;a=b\r\nhello\r\n0\r\nFoo: bar\r\n\r\n"),
    chunks(b"xyz\r\nhello\r\n0\r\n\r\n"),
]


def test_a_request_in_single_bytes_is_the_same_request() -> None:
    for shape in SHAPES:
        if len(shape) > 1000:
            continue
        whole, street = exchange(shape, wait=3.0, behave=lambda *_: None)
        singles = [shape[i : i + 1] for i in range(len(shape))]
        apart, other = exchange(*singles, wait=3.0, behave=lambda *_: None)
        assert apart.text == whole.text, shape
        assert other.logged[:1] == street.logged[:1], shape
