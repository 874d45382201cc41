-- No room is listed, and only its occupants may ask what it is.

local st = require "util.stanza";

module:hook("muc-room-pre-create", function (event)
	event.room:set_hidden(true);
end, -1);

module:hook("iq-get/bare/http://jabber.org/protocol/disco#info:query", function (event)
	local stanza = event.stanza;
	local room = prosody.hosts[module.host].modules.muc.get_room_from_jid(stanza.attr.to);
	if room and not room:get_occupant_by_real_jid(stanza.attr.from) then
		event.origin.send(st.error_reply(stanza, "auth", "forbidden"));
		return true;
	end
end, 1);
