//! Why an event is refused: one variant for each rule, named after it.
//!
//! The texts hold no content of events: they go to logs and into answers to other servers.

use ruma::OwnedEventId;

/// What is wrong with the content of an `m.room.power_levels` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedLevels {
    #[error("`{0}` holds something that is not a level in this room version")]
    Field(&'static str),
    #[error("`users` has a key that is not a user id")]
    UserId,
}

/// The rule that rejects an event (room versions, "Authorisation rules").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    // m.room.create
    #[error("a create event has no previous events")]
    CreateHasPrevEvents,
    #[error("a room has one create event")]
    SecondCreate,
    #[error("the server in the room id is not the one of the create event's sender")]
    CreateRoomIdOfOtherServer,
    #[error("a create event carries no room id in this room version")]
    CreateHasRoomId,
    #[error("the create event names another room version than the one it is checked for")]
    CreateRoomVersion,
    #[error("the create event has no `creator`")]
    CreateWithoutCreator,
    #[error("`additional_creators` is not a list of user ids")]
    CreateAdditionalCreators,

    // The event's auth events
    #[error("two auth events for one type and state key")]
    DuplicateAuthEvents,
    #[error("an auth event that the selection does not name: {0}")]
    UnexpectedAuthEvent(OwnedEventId),
    #[error("an auth event that was rejected: {0}")]
    RejectedAuthEvent(OwnedEventId),
    #[error("an auth event of another room: {0}")]
    AuthEventOfOtherRoom(OwnedEventId),
    #[error("no create event among the auth events")]
    NoCreateAmongAuthEvents,
    #[error("the room id is not the id of an accepted create event")]
    RoomIdNotOfCreate,

    // The state
    #[error("no create event in the room's state")]
    NoCreate,
    #[error("the room's power levels cannot be read: {0}")]
    MalformedPowerLevelsInState(MalformedLevels),

    // Every event
    #[error("the room does not federate and the sender is of another server")]
    NotFederated,
    #[error("the sender is not joined")]
    SenderNotJoined,
    #[error("the sender's power is below the level for this event type")]
    EventLevel,
    #[error("the state key is another user's id")]
    StateKeyOfOtherUser,
    #[error("the state key begins with `@` and with no user id")]
    StateKeyWithoutOwner,

    // m.room.aliases
    #[error("the state key of an aliases event is not the sender's server")]
    AliasesOfOtherServer,

    // m.room.member
    #[error("a member event without a state key that is a user id")]
    MemberStateKey,
    #[error("a member event without a membership that this room version knows")]
    UnknownMembership,
    #[error("`join_authorised_via_users_server` is not a user id")]
    MalformedAuthoriser,
    #[error("only the user can join or knock")]
    JoinOrKnockForOtherUser,
    #[error("the user is banned")]
    Banned,
    #[error("the join rule asks for an invitation")]
    NotInvited,
    #[error("the join rule asks for a joined authoriser who may invite")]
    NotAuthorised,
    #[error("the join rule lets nobody in")]
    JoinRuleClosed,
    #[error("the target is joined or banned already")]
    InviteOfJoinedOrBanned,
    #[error("the sender's power is below the invite level")]
    InviteLevel,
    #[error("the third-party invite is not as the rules ask: {0}")]
    ThirdPartyInvite(#[from] ThirdPartyInviteError),
    #[error("nothing to leave")]
    NothingToLeave,
    #[error("the sender's power is below the kick level or not above the target's")]
    KickLevel,
    #[error("the sender's power is below the ban level or not above the target's")]
    BanLevel,
    #[error("the join rule does not allow to knock")]
    KnockNotAllowed,
    #[error("the user is joined, invited or banned and cannot knock")]
    KnockOfMember,

    // m.room.power_levels
    #[error("malformed power levels: {0}")]
    MalformedPowerLevels(#[from] MalformedLevels),
    #[error("the power levels name a creator of the room")]
    PowerLevelsNameCreator,
    #[error("a change of `{0}` that is above the sender's power")]
    LevelChangeAboveSender(&'static str),

    // m.room.redaction
    #[error("the redaction is of another server's event and below the redact level")]
    RedactionOfOtherServer,
}

/// The steps of the rule on invites with `third_party_invite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ThirdPartyInviteError {
    #[error("`signed`, `signed.mxid` or `signed.token` is missing")]
    Malformed,
    #[error("`signed.mxid` is not the target")]
    OtherUser,
    #[error("the token is unknown")]
    UnknownToken,
    #[error("the sender is not the one of the third-party invite")]
    OtherSender,
    #[error("no signature by a key of the third-party invite")]
    Signature,
}
