"""Who may hear decisions, and how they are delivered."""

import pytest
from batches import TOPIC, decision, usage_payload
from mqtt5 import (
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    SubAckReasonCode,
    SubscribePacket,
    TopicFilter,
    UnsubAckReasonCode,
    UnsubscribePacket,
)
from mqtt_peer import Peer, publish

DECISIONS = "phusong/v1/viettel/decisions"


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (DECISIONS, SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE),
        ("phusong/v1/mobifone/decisions", SubAckReasonCode.NOT_AUTHORIZED),
        (TOPIC, SubAckReasonCode.NOT_AUTHORIZED),
        ("#", SubAckReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("phusong/v1/+/decisions", SubAckReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("$share/g/" + DECISIONS, SubAckReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
    ],
)
async def test_only_the_own_operators_decisions_may_be_subscribed_to(doors, pattern, code):
    peer = await Peer.connected(doors.mqtt_port, username="viettel")

    peer.send(SubscribePacket(1, [TopicFilter(pattern)]))

    assert (await peer.packet()).reason_codes == [code]
    peer.close()


async def test_without_a_user_name_the_published_topic_says_whose_client_it_is(doors):
    peer = await Peer.connected(doors.mqtt_port)
    other = "phusong/v1/mobifone/decisions"

    peer.send(publish(TOPIC, usage_payload(1), 1))
    await peer.packet()
    peer.send(SubscribePacket(1, [TopicFilter(other), TopicFilter(DECISIONS)]))

    assert (await peer.packet()).reason_codes == [
        SubAckReasonCode.NOT_AUTHORIZED,
        SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE,
    ]
    peer.close()


async def test_a_client_that_named_nobody_is_of_the_operator_it_first_subscribes_to(doors):
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(SubscribePacket(1, [TopicFilter(DECISIONS)]))
    assert (await peer.packet()).reason_codes == [SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]
    peer.send(SubscribePacket(2, [TopicFilter("phusong/v1/mobifone/decisions")]))

    assert (await peer.packet()).reason_codes == [SubAckReasonCode.NOT_AUTHORIZED]
    peer.close()


async def test_decisions_wait_while_the_subscriber_acknowledges_nothing(doors):
    peer = await Peer.connected(doors.mqtt_port, username="viettel", receive_max=2)
    peer.send(SubscribePacket(1, [TopicFilter(DECISIONS)]))
    await peer.packet()

    await doors.board.publish([decision(str(n)) for n in range(5)])

    first, second = await peer.packet(), await peer.packet()
    peer.send(PingReqPacket())
    assert isinstance(await peer.packet(), PingRespPacket)
    peer.send(PubAckPacket(first.packet_id), PubAckPacket(second.packet_id))
    third, fourth = await peer.packet(), await peer.packet()
    assert len({first.packet_id, second.packet_id, third.packet_id, fourth.packet_id}) == 4
    peer.send(UnsubscribePacket(2, [DECISIONS, "other"]))
    assert (await peer.packet()).reason_codes == [
        UnsubAckReasonCode.SUCCESS,
        UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED,
    ]
    peer.close()


async def test_a_returning_subscriber_says_which_decision_it_has_seen(doors):
    await doors.board.publish([decision(str(n)) for n in range(5)])
    peer = await Peer.connected(doors.mqtt_port, username="viettel")

    peer.send(
        SubscribePacket(1, [TopicFilter(DECISIONS)], user_properties=[("after_position", "3")])
    )

    await peer.packet()
    seen = [await peer.packet() for _ in range(2)]
    assert [type(decision(""))().FromString(p.payload).position for p in seen] == [4, 5]
    peer.close()
