from wavegen.flows import (
    Affine,
    Compose,
    Elementwise,
    Inverse,
    Logit,
    Sigmoid,
)


def test_inv_of_inv_is_the_very_object():
    sigmoid = Sigmoid()
    assert sigmoid.inv.inv is sigmoid
    composed = Compose(Sigmoid(), Logit())
    assert composed.inv.inv is composed


def test_inverse_shares_parameters():
    bijection = Elementwise(transform=Affine(), shape=(3,))
    assert {id(p) for p in bijection.inv.parameters()} == {id(p) for p in bijection.parameters()}
    assert isinstance(bijection.inv, Inverse)
