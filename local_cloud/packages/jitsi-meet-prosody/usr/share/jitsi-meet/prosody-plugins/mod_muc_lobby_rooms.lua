-- Announces the lobby's host. Left out: the lobby itself; in a room for members only, prosody turns others away.

module:add_identity("component", "lobbyrooms", module:get_option_string("lobby_muc"));
