import torch

from wavegen.distributions.fixed_point import solve_triangular


def autoregression(size):
    weight = torch.randn(size, size, dtype=torch.float64).tril(-1)
    shift = torch.randn(size, dtype=torch.float64)
    exact = torch.linalg.solve(torch.eye(size) - weight, shift)
    return weight, shift, exact


def test_as_many_passes_as_elements_are_exact():
    weight, shift, exact = autoregression(7)
    solved = solve_triangular(lambda x: weight @ x + shift, torch.zeros(7, dtype=torch.float64), 7)
    torch.testing.assert_close(solved, exact, rtol=1e-10, atol=1e-10)


def test_every_pass_makes_one_more_element_final():
    weight, shift, exact = autoregression(6)
    start = torch.full((6,), 5.0, dtype=torch.float64)
    for passes in range(1, 7):
        solved = solve_triangular(lambda x: weight @ x + shift, start, passes)
        torch.testing.assert_close(solved[:passes], exact[:passes], rtol=1e-10, atol=1e-10)
    assert torch.equal(solve_triangular(lambda x: weight @ x + shift, start, 0), start)


def test_it_is_over_where_nothing_changes_any_more():
    calls = []

    def update(x):
        calls.append(x)
        return torch.cat([torch.ones(2), x[:2], x[:-4]])  # element i looks at element i − 2 or before

    solved = solve_triangular(update, torch.zeros(10), 10)
    assert torch.equal(solved, torch.ones(10)) and len(calls) < 7


def test_what_overflows_on_the_way_does_not_spoil_what_is_final():
    def update(x):
        first = torch.zeros(1)
        second = torch.where(x[:1] == 0, torch.tensor(2.0), torch.tensor(torch.inf))
        third = second * 0 + x[1:2] * 0 + 1 + x[1:2]
        return torch.cat([first, second, third])

    for spoilt in (torch.inf, -torch.inf, torch.nan):
        solved = solve_triangular(update, torch.full((3,), spoilt), 3)
        assert solved.tolist() == [0.0, 2.0, 3.0]


def test_the_result_has_the_type_of_the_update():
    solved = solve_triangular(lambda x: x.double() * 0 + 0.1, torch.zeros(2), 3)
    assert solved.dtype == torch.float64 and solved.tolist() == [0.1, 0.1]
