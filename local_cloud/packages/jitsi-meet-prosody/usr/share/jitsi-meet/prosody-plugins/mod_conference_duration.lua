-- Tells since when there are two or more in a room, in milliseconds since 1970.

local hosts = module:require "hosts";

local FIELD = "muc#roominfo_created_timestamp";

hosts.when_active(module:get_option_string("main_muc"), function (muc)
	muc:hook("muc-occupant-joined", function (event)
		local room = event.room;
		local count = 0;
		for _ in room:each_occupant() do
			count = count + 1;
		end
		if count > 1 and not room.created_timestamp then
			room.created_timestamp = string.format("%d", os.time() * 1000);
		end
	end, -1);
	muc:hook("muc-disco#info", function (event)
		table.insert(event.form, {
			name = FIELD, type = "text-single", label = "Start of the meeting", value = event.room.created_timestamp or "",
		});
	end);
end);
