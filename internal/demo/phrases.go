package demo

// Phrases are by language. {s} is a subject, {o} an object, {c} an address or number;
// {S} and {O} have their articles before them.
type phrases map[string][]string

// asserted are phrases that say a relation.
var asserted = map[string]phrases{
	requires: {
		"en": {"{S} requires {O}.", "For {S} you need {O}.", "{O} is required for {S}.", "You have to send us {O} for {S}.", "{S} needs {O}, please.", "Without {O} we cannot file {S}."},
		"id": {"{S} memerlukan {o}.", "Untuk {s} diperlukan {o}.", "{S} membutuhkan {o}.", "{O} diperlukan untuk {s} ya.", "{S} mensyaratkan {o}."},
		"it": {"{S} richiede {O}.", "Per {S} serve {O}.", "Serve {O} per {S}.", "{O} è necessario per {S}.", "Per {S} occorre {O}."},
	},
	governedBy: {
		"en": {"{S} is governed by {o}.", "{S} is regulated by {o}.", "{S} falls under {o}.", "{S} is subject to {o}, as always."},
		"id": {"{S} diatur oleh {o}.", "{S} diatur dalam {o}.", "{S} tunduk pada {o}.", "{S} berdasarkan {o}."},
		"it": {"{S} si basa su {o}.", "{S} è sotto {o}.", "{S} è disciplinato da {o}.", "{S} è regolato da {o}."},
	},
	relatesTo: {
		"en": {"{S} is related to {o}.", "{S} relates to {O}.", "{S} has to do with {O}.", "{S} is connected with {o}."},
		"id": {"{S} berkaitan dengan {o}.", "{S} berhubungan dengan {o}.", "{S} terkait dengan {o}."},
		"it": {"{S} riguarda {O}.", "{S} ha a che fare con {O}.", "{S} è in relazione con {O}."},
	},
	conflictsWith: {
		"en": {"{S} conflicts with {O}.", "{S} contradicts {O}.", "{S} is incompatible with {O}.", "{S} is in conflict with {O}."},
		"id": {"{S} bertentangan dengan {o}.", "{S} tidak sesuai dengan {o}.", "{S} melanggar {o}."},
		"it": {"{S} è in contrasto con {O}.", "{S} va contro {O}.", "{S} è in conflitto con {O}."},
	},
	exampleOf: {
		"en": {"{S} is an example of {o}.", "{S} is a typical example of {o}.", "{S} is a kind of {o}.", "{S} is one example of {o}."},
		"id": {"{S} adalah contoh {o}.", "{S} merupakan contoh dari {o}.", "{S} termasuk {o}."},
		"it": {"{S} è un esempio di {o}.", "{S} è un caso di {o}.", "{S} è un tipico esempio di {o}."},
	},
	worksFor: {
		"en": {"{s} works for {o}.", "{s} works at {o}.", "My colleague {s} is employed by {o}.", "{s} has joined {o}.", "{s} is an accountant at {o}.", "You know {s}, who works for {o}."},
		"id": {"{s} bekerja di {o}.", "{s} bekerja untuk {o}.", "Teman saya {s} kerja di {o}.", "{s} adalah karyawan {o}.", "{s} sudah bergabung dengan {o}."},
		"it": {"{s} lavora per {o}.", "{s} lavora presso {o}.", "La persona è {s}, lavora per {o}.", "{s} è dipendente di {o}.", "{s} è impiegato presso {o}."},
	},
	locatedIn: {
		"en": {"{s} is located in {o}.", "{s} is based in {o}.", "{s} is in {o}, as you know.", "{s} has its office in {o}.", "The office of {s} is in {o}."},
		"id": {"{s} berlokasi di {o}.", "{s} terletak di {o}.", "{s} berada di {o}.", "{s} ada di {o} ya.", "Kantor {s} ada di {o}."},
		"it": {"{s} si trova a {o}.", "{s} ha sede a {o}.", "{s} sta a {o}.", "La sede di {s} è a {o}."},
	},
	clientOf: {
		"en": {"{s} is a client of {o}.", "{s} is a customer of {o}.", "{s} has been a client of {o} for years.", "Since last year {s} is a client of {o}."},
		"id": {"{s} adalah klien {o}.", "{s} adalah pelanggan {o}.", "{s} menjadi klien {o}."},
		"it": {"{s} è cliente di {o}.", "{s} è un cliente di {o}.", "Da anni {s} è cliente di {o}."},
	},
}

// introduced are phrases by which people say where they work themselves.
var introduced = phrases{
	"en": {"I'm {s}, I work for {o}.", "{s} here, I work at {o}.", "My name is {s} and I work for {o}.", "I am {s} and I am employed by {o}.", "This is {s}, finance manager at {o}.", "Hi, {s} here. I work for {o}."},
	"id": {"Saya {s}, saya bekerja di {o}.", "Nama saya {s}, saya kerja di {o}.", "Saya {s} dan saya bekerja untuk {o}.", "Saya {s}, karyawan {o}.", "{s} di sini. Saya bekerja di {o}."},
	"it": {"Sono {s}, lavoro per {o}.", "Mi chiamo {s} e lavoro presso {o}.", "Sono {s} e lavoro per {o}.", "Qui {s}, dipendente di {o}.", "Sono {s}. Lavoro per {o}."},
}

// moved are the same of people who have changed firm.
var moved = phrases{
	"en": {"{s} again: I now work for {o}.", "I'm {s}, and since this month I work for {o}.", "It's {s}, I have moved to {o}.", "I am {s} and I have joined {o}."},
	"id": {"Saya {s}, sekarang saya bekerja di {o}.", "Saya {s} dan saya sudah pindah ke {o}.", "Ini {s}, sejak bulan ini saya bekerja untuk {o}."},
	"it": {"Sono {s}, adesso lavoro per {o}.", "Sono {s} e da questo mese lavoro presso {o}.", "Sono {s}, sono passato a {o}."},
}

// withheld are phrases of the same words that don't say it: questions, denials, wishes.
var withheld = map[string]phrases{
	requires: {
		"en": {"Does {S} require {O}?", "{S} does not require {O}.", "Do I need {O} for {S}?", "You don't need {O} for {S}.", "I wonder whether {S} requires {O}."},
		"id": {"Apakah {s} memerlukan {o}?", "{S} tidak memerlukan {o}.", "Apa {s} butuh {o}?", "{S} tidak membutuhkan {o}."},
		"it": {"{S} richiede {O}?", "{S} non richiede {O}.", "Per {S} serve {O}?", "Per {S} non serve {O}."},
	},
	governedBy: {
		"en": {"Is {S} governed by {o}?", "{S} is not governed by {o}.", "{S} does not fall under {o}.", "Do you know if {S} is regulated by {o}?"},
		"id": {"Apakah {s} diatur oleh {o}?", "{S} tidak diatur dalam {o}."},
		"it": {"{S} si basa su {o}?", "{S} non si basa su {o}."},
	},
	relatesTo: {
		"en": {"Is {S} related to {o}?", "{S} is not related to {o}.", "{S} has nothing to do with {O}."},
		"id": {"Apakah {s} berkaitan dengan {o}?", "{S} tidak berkaitan dengan {o}."},
		"it": {"{S} riguarda {O}?", "{S} non riguarda {O}."},
	},
	conflictsWith: {
		"en": {"Does {S} conflict with {O}?", "{S} does not conflict with {O}."},
		"id": {"Apakah {s} bertentangan dengan {o}?", "{S} tidak bertentangan dengan {o}."},
		"it": {"{S} va contro {O}?", "{S} non va contro {O}."},
	},
	worksFor: {
		"en": {"Does {s} work for {o}?", "{s} does not work for {o}.", "Is it true that {s} works at {o}?", "{s} would like to work for {o}.", "{s} never worked for {o}.", "If {s} worked for {o}, it would be easier."},
		"id": {"Apakah {s} bekerja di {o}?", "{s} tidak bekerja di {o}.", "{s} bukan karyawan {o}.", "{s} ingin bekerja di {o}."},
		"it": {"{s} lavora per {o}?", "{s} non lavora per {o}.", "{s} vorrebbe lavorare per {o}.", "{s} non è dipendente di {o}."},
	},
	locatedIn: {
		"en": {"Is {s} located in {o}?", "{s} is not in {o}.", "{s} has no office in {o}.", "Is {s} based in {o}?"},
		"id": {"Apakah {s} berlokasi di {o}?", "{s} tidak berada di {o}.", "Kantor {s} bukan di {o}."},
		"it": {"{s} si trova a {o}?", "{s} non ha sede a {o}.", "{s} non si trova a {o}."},
	},
	clientOf: {
		"en": {"Is {s} a client of {o}?", "{s} is not a client of {o}."},
		"id": {"Apakah {s} klien {o}?", "{s} bukan klien {o}."},
		"it": {"{s} è cliente di {o}?", "{s} non è cliente di {o}."},
	},
}

// asked are what the agent asks clients about themselves, denied what they say.
var (
	asked = phrases{
		"en": {"{s}, do you work for {o}?", "Do you work for {o}, {s}?", "Are you employed by {o}, {s}?"},
		"id": {"{s}, apakah Anda bekerja di {o}?", "Apa {s} karyawan {o}?"},
		"it": {"{s}, lavora per {o}?", "Lei lavora per {o}, {s}?"},
	}
	denied = phrases{
		"en": {"I'm {s} and I don't work for {o}.", "{s} here, I do not work for {o}.", "I am {s}, I have never worked for {o}."},
		"id": {"Saya {s} dan saya tidak bekerja di {o}.", "Saya {s}, saya bukan karyawan {o}."},
		"it": {"Sono {s} e non lavoro per {o}.", "Sono {s}, non sono dipendente di {o}."},
	}
)

// reached are phrases that say how somebody is reached.
var reached = phrases{
	"en": {"You can reach {s} at {c}.", "{s} can be reached at {c}.", "Please write to {s}, {c}.", "The contact of {s} is {c}"},
	"id": {"{s} bisa dihubungi di {c}.", "Silakan hubungi {s}, {c}.", "Kontak {s} adalah {c}"},
	"it": {"{s} risponde a {c}.", "Può scrivere a {s}, {c}.", "Il contatto di {s} è {c}"},
}

// remarked are phrases that name two and say no relation of them, and one of the staff.
var (
	remarked = phrases{
		"en": {"Yesterday I read about {s} and about {o}.", "I sent {s} the price, then went to {o}.", "We talked about {s}; then about {o}."},
		"id": {"Kemarin saya baca tentang {s} dan tentang {o}.", "Kami bicara soal {s}, lalu soal {o}."},
		"it": {"Ieri ho letto di {s} e poi di {o}.", "Abbiamo parlato di {s}, poi di {o}."},
	}
	handled = phrases{
		"en": {"{s} has your file.", "I have asked {s} to look at it.", "Tomorrow {s} is back."},
		"id": {"Berkas Anda ada pada {s}.", "Saya sudah tanya {s}.", "Besok {s} kembali."},
		"it": {"La sua pratica è da {s}.", "Ho chiesto a {s} di guardarla.", "Domani torna {s}."},
	}
	greeted = phrases{
		"en": {"Hello {s},", "Dear {s},", "Good morning {s},"},
		"id": {"Halo {s},", "Selamat pagi {s},", "Terima kasih {s},"},
		"it": {"Buongiorno {s},", "Salve {s},", "Grazie {s},"},
	}
	signed = phrases{
		"en": {"Regards, {s}", "Thanks, {s}", "Best wishes\n{s}"},
		"id": {"Salam, {s}", "Terima kasih, {s}", "Hormat saya\n{s}"},
		"it": {"Saluti, {s}", "Grazie, {s}", "Cordiali saluti\n{s}"},
	}
)

// What names nothing, with the noise of chats.
var (
	clientFill = phrases{
		"en": {"Good morning!", "hi there", "How long does it take?", "ok thx 👍", "hmm, not sure tbh", "Sorry for the late answer.", "pls let me know asap", "Is there a fee?", "sorry, on my phone, typos…", "Got it.", "Can you check pls??", "I made a list of questions, will send it later."},
		"id": {"Selamat siang!", "halo kak", "Berapa lama ya prosesnya?", "ok siap 🙏", "hmm bingung nih", "Maaf baru balas.", "tolong dibantu ya", "Biayanya brp?", "baik, sdh paham", "mksh banyak"},
		"it": {"Buongiorno!", "salve", "Quanto tempo ci vuole?", "ok grazie mille 🙏", "boh, non so…", "Scusi il ritardo.", "mi faccia sapere pls", "C'è un costo?", "perfetto", "cmq resto in attesa"},
	}
	agentFill = phrases{
		"en": {"Thank you for your message.", "I will come back to you.", "We keep you informed at each step.", "The office is open from nine to five.", "Is there anything else?", "That is quite common.", "Let me look at it first."},
		"id": {"Terima kasih atas pesannya.", "Kami akan kabari secepatnya.", "Kantor buka dari jam sembilan.", "Ada lagi yang bisa dibantu?", "Itu cukup umum.", "Saya cek dulu ya."},
		"it": {"Grazie per il messaggio.", "Le faccio sapere presto.", "L'ufficio apre alle nove.", "Posso aiutarla in altro?", "È piuttosto comune.", "Verifico e torno da lei."},
	}
)
